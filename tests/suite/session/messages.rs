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
    running.handle.send(draft(&customer)).await.unwrap();
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
        running.handle.send(draft("status@broadcast")).await,
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

#[tokio::test]
async fn what_its_sender_does_not_send_again_is_recovered_from_the_owners_phone() {
    let (sim, dir) = (sim(1).await, TempDir::new().unwrap());
    let mut running = Running::start(&sim, dir.path(), 1);
    running.link_to(&sim).await;
    let Link::Online(account) = running.online().await else {
        panic!("not online");
    };
    sim.send_text(CUSTOMER, OWNER, "primero").unwrap();
    running
        .told("the first", |told| !told.messages.is_empty())
        .await;
    let id = MessageId("3EB0C0FFEE0000000002".to_owned());
    let draft = Draft {
        id: id.clone(),
        chat: ChatId::new(format!("{CUSTOMER}@s.whatsapp.net")),
        text: "buenas".to_owned(),
    };
    running.handle.send(draft).await.unwrap();
    running
        .told("the delivery", |told| told.delivered.contains(&id))
        .await;
    running.stop().await;
    // The box has lost what it shares with the customer, and the customer's phone is deaf to it.
    let store = Store::open(dir.path()).unwrap();
    let sessions = store.link().space("session");
    let mut batch = vinculo::store::Batch::default();
    let own = [Some(account.number), account.lid].map(Option::unwrap_or_default);
    for (address, _) in sessions.scan(b"", 100).unwrap() {
        let name = String::from_utf8_lossy(&address).into_owned();
        if !own.iter().any(|own| name.starts_with(own)) {
            batch.delete(&sessions, &address);
        }
    }
    store.link().apply(batch).unwrap();
    store.link().commit().await.unwrap();
    drop((sessions, store));
    sim.fault(Fault::new(Kind::IgnoreRetries).on(CUSTOMER))
        .unwrap();
    let second = sim.send_text(CUSTOMER, OWNER, "segundo").unwrap();
    let mut running = Running::start(&sim, dir.path(), 1);
    let told = running
        .told("the second, from the owner's phone", |told| {
            let mut read = told
                .messages
                .iter()
                .filter(|message| message.id.0 == second);
            read.any(|message| message.body == Body::Text("segundo".to_owned()))
        })
        .await;
    // It was shown as unreadable first, and recovered past the hook.
    let mut bodies = told
        .messages
        .iter()
        .filter(|message| message.id.0 == second);
    assert_eq!(bodies.next().unwrap().body, Body::Undecryptable);
    running.stop().await;
}
