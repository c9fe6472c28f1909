//! What a client may ask besides linking and writing, answered from the simulator's state.

use std::collections::BTreeMap;

use wacore_binary::Jid;

use crate::{CUSTOMER, OWNER, linked, pn, shop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_found_and_settings_kept() {
    let sim = shop().await;
    let (companion, _) = linked(&sim).await;
    let client = &companion.client;
    let customer: Jid = pn(CUSTOMER).parse().unwrap();
    let nobody: Jid = pn("573000000099").parse().unwrap();

    let found = client
        .contacts()
        .is_on_whatsapp(&[customer.clone(), nobody])
        .await
        .unwrap();
    let known: Vec<bool> = found.iter().map(|person| person.is_registered).collect();
    assert_eq!(known, [true, false]);
    let lid = found[0].lid.clone().unwrap();
    let info = client
        .contacts()
        .get_user_info(std::slice::from_ref(&lid))
        .await
        .unwrap();
    assert_eq!(info.len(), 1);
    let contacts = client.contacts();
    let picture = contacts.get_profile_picture(&customer, true);
    assert!(picture.await.unwrap().is_none());

    client.blocking().block(&lid).await.unwrap();
    assert!(client.blocking().is_blocked(&lid).await.unwrap());
    client.blocking().unblock(&lid).await.unwrap();
    assert_eq!(client.blocking().get_blocklist().await.unwrap().len(), 0);

    client.presence().subscribe(customer.clone()).await.unwrap();
    client.chatstate().send_composing(&customer).await.unwrap();
    client.profile().set_status_text("abierto").await.unwrap();
    client.chat_actions().mute_chat(&customer).await.unwrap();
    client.chat_actions().pin_chat(&customer).await.unwrap();
    assert_eq!(sim.counters().unknown, BTreeMap::new());
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_prekey_opens_the_next_session() {
    let sim = shop().await;
    let (mut companion, _) = linked(&sim).await;
    companion.client.rotate_signed_pre_key().await.unwrap();
    sim.send_text(CUSTOMER, OWNER, "con llave nueva").unwrap();
    assert_eq!(companion.texts(1).await, ["con llave nueva"]);
    assert_eq!(sim.counters().unknown, BTreeMap::new());
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_keeps_a_group() {
    let sim = shop().await;
    let third = "573000000003";
    sim.add_phone(third, "Vecina", true).unwrap();
    let (companion, _) = linked(&sim).await;
    let group: Jid = sim
        .create_group(OWNER, "Barrio", &[CUSTOMER])
        .unwrap()
        .parse()
        .unwrap();
    let groups = companion.client.groups();
    let mine = groups.get_participating().await.unwrap();
    assert_eq!(mine.len(), 1);
    let neighbour: Jid = pn(third).parse().unwrap();
    groups
        .add_participants(group.clone(), std::slice::from_ref(&neighbour))
        .await
        .unwrap();
    let id = companion.say(&group.to_string(), "bienvenida").await;
    sim.until(|view| view.inbox(third).into_iter().find(|entry| entry.id == id))
        .await;
    groups.leave(group.clone()).await.unwrap();
    assert!(groups.get_participating().await.unwrap().is_empty());
    assert_eq!(sim.counters().unknown, BTreeMap::new());
    companion.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_logs_out_frees_its_slot() {
    let sim = shop().await;
    let (companion, _) = linked(&sim).await;
    companion.client.logout().await;
    sim.until(|view| view.devices(OWNER).is_empty().then_some(()))
        .await;
    assert_eq!(sim.counters().unknown, BTreeMap::new());
}
