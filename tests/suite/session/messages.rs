//! What goes over the link, and what must not.

use super::*;

#[tokio::test]
async fn messages_go_both_ways() {
    let sim = sim(1).await;
    let dir = TempDir::new().unwrap();
    let mut running = Running::start(&sim, dir.path(), 1);
    running.link_to(&sim).await;
    let asked = sim
        .send_text(CUSTOMER, OWNER, "¿a qué hora abren?")
        .unwrap();
    let told = running
        .told("the question", |told| !told.messages.is_empty())
        .await;
    let question = &told.messages[0];
    assert_eq!(question.id.0, asked);
    assert_eq!(question.body, Body::Text("¿a qué hora abren?".to_owned()));
    assert_eq!(question.sender.number.as_deref(), Some(CUSTOMER));
    assert!(!question.from_me);

    let id = MessageId("3EB0C0FFEE0000000001".to_owned());
    let draft = |chat: &str| Draft {
        id: id.clone(),
        chat: ChatId::new(chat),
        text: "a las ocho".to_owned(),
    };
    let customer = format!("{CUSTOMER}@s.whatsapp.net");
    running
        .handle
        .send(draft(&customer), Release::at_once())
        .await
        .unwrap();
    running
        .told("the ack", |told| told.acks == [(id.clone(), None)])
        .await;
    let arrived = sim.until(|view| view.inbox(CUSTOMER).pop());
    let arrived = tokio::time::timeout(PATIENCE, arrived).await.unwrap();
    assert_eq!(
        (arrived.id, arrived.text),
        (id.0.clone(), "a las ocho".to_owned())
    );
    running
        .told("the delivery", |told| told.delivered.contains(&id))
        .await;
    assert!(matches!(
        running
            .handle
            .send(draft("status@broadcast"), Release::at_once())
            .await,
        Err(SendError::Refused(_))
    ));
    // What the owner writes on the phone is seen, and seen as the owner's.
    sim.send_text(OWNER, CUSTOMER, "yo le escribo").unwrap();
    let told = running
        .told("the owner's own", |told| told.messages.len() == 2)
        .await;
    assert!(told.messages[1].from_me);
    running.stop().await;
    assert!(
        sim.counters().unknown.is_empty(),
        "{:?}",
        sim.counters().unknown
    );
    assert_eq!(sim.counters().available_seconds, 0);
}

#[tokio::test]
async fn the_owner_never_appears_online() {
    let sim = sim(1).await;
    let dir = TempDir::new().unwrap();
    for presences in [2, 4] {
        let mut running = Running::start(&sim, dir.path(), 1);
        match presences {
            2 => drop(running.link_to(&sim).await),
            _ => drop(running.online().await),
        }
        // The crate says available on every login; an unavailable follows each.
        let said = sim.until(|view| {
            let said = view.counters().stanzas.get("presence").copied();
            (said.unwrap_or_default() >= presences).then_some(())
        });
        tokio::time::timeout(PATIENCE, said).await.unwrap();
        running.stop().await;
    }
    assert_eq!(sim.counters().available_seconds, 0);
}

#[tokio::test]
async fn what_waited_arrives_in_order_once() {
    let sim = sim(SCALE).await;
    let dir = TempDir::new().unwrap();
    let mut first = Running::start(&sim, dir.path(), SCALE);
    first.link_to(&sim).await;
    first.stop().await;
    let sent: Vec<String> = (0..2000)
        .map(|n| {
            sim.send_text(CUSTOMER, OWNER, &format!("mensaje {n}"))
                .unwrap()
        })
        .collect();
    let mut second = Running::start(&sim, dir.path(), SCALE);
    let told = second
        .told("the backlog", |told| told.messages.len() >= sent.len())
        .await;
    let got: Vec<_> = told.messages.iter().map(|m| m.id.0.clone()).collect();
    assert_eq!(got, sent);
    assert!(told.messages.iter().all(|message| message.offline));
    let empty = sim.until(|view| (view.counters().queued == 0).then_some(()));
    tokio::time::timeout(PATIENCE, empty)
        .await
        .expect("all acknowledged");
    second.stop().await;
}
