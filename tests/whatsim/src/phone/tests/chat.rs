//! Two people and a group talk; messages get lost, doubled, shuffled and unreadable.

use wacore::messages::decode_plaintext;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::{Tables, deliver, phones, stamped, tagged};
use crate::phone::stanza::text;
use crate::phone::{Phone, PhoneError};

fn texts(phone: &Phone) -> Vec<&str> {
    phone
        .inbox()
        .iter()
        .map(|entry| entry.text.as_str())
        .collect()
}

fn say(from: &mut Phone, to: &mut Phone, what: &str, tables: &mut Tables, lid: bool) -> Vec<Node> {
    let (sender, target) = if lid {
        (from.lid().clone(), to.lid().clone())
    } else {
        (from.pn().clone(), to.pn().clone())
    };
    let (_, stanza) = from.compose_text(&target, what, tables).unwrap();
    to.receive(&deliver(&stanza, &sender, &target).unwrap(), tables)
}

#[test]
fn two_people_chat_by_number_and_by_lid() {
    let (mut ana, mut beto, mut tables) = phones();
    say(&mut ana, &mut beto, "hola", &mut tables, false);
    say(&mut beto, &mut ana, "quiubo", &mut tables, true);
    say(&mut ana, &mut beto, "todo bien", &mut tables, true);
    say(&mut beto, &mut ana, "me alegra", &mut tables, false);
    assert_eq!(texts(&beto), ["hola", "todo bien"]);
    assert_eq!(texts(&ana), ["quiubo", "me alegra"]);
}

#[test]
fn a_delivered_text_is_receipted_and_acknowledged_and_its_sender_learns_of_it() {
    let (mut ana, mut beto, mut tables) = phones();
    let (id, stanza) = ana.compose_text(beto.pn(), "hola", &mut tables).unwrap();
    let incoming = deliver(&stanza, ana.pn(), beto.pn()).unwrap();
    let answers = beto.receive(&incoming, &mut tables);
    assert!(tagged(&answers, "ack").is_some());
    let receipt = stamped(tagged(&answers, "receipt").unwrap(), beto.pn());

    let ack = NodeBuilder::new("ack")
        .attr("class", "message")
        .attr("id", &id)
        .attr("from", beto.pn())
        .build();
    assert!(!ana.sent(&id).unwrap().server);
    ana.receive(&ack, &mut tables);
    ana.receive(&receipt, &mut tables);
    let read = stamped(&beto.read(&id).unwrap(), beto.pn());
    ana.receive(&read, &mut tables);
    let sent = ana.sent(&id).unwrap();
    assert!(sent.server);
    assert_eq!(sent.delivered, [beto.pn().clone()]);
    assert_eq!(sent.read, [beto.pn().clone()]);
}

#[test]
fn out_of_order_and_doubled_deliveries_show_each_text_once() {
    let (mut ana, mut beto, mut tables) = phones();
    let stanzas: Vec<Node> = ["uno", "dos", "tres"]
        .iter()
        .map(|what| {
            let (_, stanza) = ana.compose_text(beto.lid(), what, &mut tables).unwrap();
            deliver(&stanza, ana.lid(), beto.lid()).unwrap()
        })
        .collect();
    for place in [2, 0, 0, 1, 2] {
        let answers = beto.receive(&stanzas[place], &mut tables);
        let receipt = tagged(&answers, "receipt").unwrap();
        assert_eq!(text(receipt, "type"), None, "no retry for a duplicate");
    }
    assert_eq!(texts(&beto), ["tres", "uno", "dos"]);
    let deliveries: Vec<u32> = beto.inbox().iter().map(|entry| entry.deliveries).collect();
    assert_eq!(deliveries, [2, 2, 1]);
}

#[test]
fn a_used_up_ciphertext_does_not_hide_the_text_that_follows_under_its_id() {
    let (mut ana, mut beto, mut tables) = phones();
    let mut stanzas = ["uno", "dos"].iter().map(|what| {
        let (_, stanza) = ana.compose_text(beto.lid(), what, &mut tables).unwrap();
        deliver(&stanza, ana.lid(), beto.lid()).unwrap()
    });
    let (first, mut second) = (stanzas.next().unwrap(), stanzas.next().unwrap());
    drop(stanzas);
    beto.receive(&first, &mut tables);
    let mut used_up = first.clone();
    used_up.attrs.insert("id", "LATER");
    let answers = beto.receive(&used_up, &mut tables);
    assert_eq!(text(tagged(&answers, "receipt").unwrap(), "type"), None);
    second.attrs.insert("id", "LATER");
    beto.receive(&second, &mut tables);
    assert_eq!(texts(&beto), ["uno", "dos"]);
}

#[test]
fn an_unreadable_text_is_asked_for_again_and_shown_once() {
    let (mut ana, mut beto, mut tables) = phones();
    say(&mut ana, &mut beto, "antes", &mut tables, false);
    // Beto's phone forgets everything it shared with Ana: a restored backup.
    beto.signal.forget(&ana.lid().with_device(0));
    say(&mut beto, &mut ana, "sigo aqui", &mut tables, false);
    beto.signal.forget(&ana.lid().with_device(0));

    let (id, stanza) = ana.compose_text(beto.pn(), "perdido", &mut tables).unwrap();
    let mut incoming = deliver(&stanza, ana.pn(), beto.pn()).unwrap();
    for count in ["1", "2"] {
        let answers = beto.receive(&incoming, &mut tables);
        let retry = tagged(&answers, "receipt").unwrap();
        assert_eq!(text(retry, "type").as_deref(), Some("retry"));
        let child = retry.get_optional_child("retry").unwrap();
        assert_eq!(text(child, "count").as_deref(), Some(count));
        assert_eq!(retry.get_optional_child("keys").is_some(), count == "2");
        let answers = ana.receive(&stamped(retry, beto.pn()), &mut tables);
        let resent = tagged(&answers, "message").unwrap();
        assert_eq!(text(resent, "id").as_deref(), Some(&*id));
        incoming = deliver(resent, ana.pn(), beto.pn()).unwrap();
    }
    beto.receive(&incoming, &mut tables);
    beto.receive(&incoming, &mut tables);
    assert_eq!(texts(&beto), ["antes", "perdido"]);
    assert_eq!(beto.inbox()[1].deliveries, 2);
}

#[test]
fn a_stranger_gets_nothing_resent() {
    let (mut ana, beto, mut tables) = phones();
    let mut eva = Phone::new("573000000003", "900000000003", "Eva", true);
    tables.enrol(&mut eva);
    let (id, _) = ana.compose_text(beto.pn(), "privado", &mut tables).unwrap();
    let retry = NodeBuilder::new("receipt")
        .attr("id", &id)
        .attr("type", "retry")
        .attr("from", eva.pn())
        .children([NodeBuilder::new("retry").attr("count", 1).build()])
        .build();
    let answers = ana.receive(&retry, &mut tables);
    assert!(tagged(&answers, "message").is_none());
    assert!(tagged(&answers, "ack").is_some());
}

#[test]
fn a_companion_gets_a_copy_that_says_whom_the_text_was_for() {
    let (mut ana, beto, mut tables) = phones();
    let mut companion = tables.companion(&ana, 7);
    let (_, stanza) = ana.compose_text(beto.lid(), "hola", &mut tables).unwrap();
    let copy = deliver(&stanza, ana.lid(), &ana.lid().with_device(7)).unwrap();
    let enc = copy.get_optional_child("enc").unwrap();
    let plain = companion
        .decrypt(
            ana.lid(),
            &text(enc, "type").unwrap(),
            crate::phone::stanza::bytes(enc).unwrap(),
        )
        .unwrap();
    let message = decode_plaintext(&plain, 2).unwrap();
    let copy = message.device_sent_message.as_option().unwrap();
    assert_eq!(copy.destination_jid, Some(beto.lid().to_string()));
    assert_eq!(copy.message.conversation.as_deref(), Some("hola"));
}

#[test]
fn nobody_there_is_an_error() {
    let (mut ana, _, mut tables) = phones();
    let refusal = ana.compose_text(&Jid::pn("573000000099"), "hola", &mut tables);
    assert!(matches!(refusal, Err(PhoneError::Unreachable(_))));
}

fn group(tables: &mut Tables, members: &[&Phone]) -> Jid {
    let group = Jid::group("120363000000000001");
    let members = members.iter().map(|phone| phone.lid().clone()).collect();
    tables.groups.insert(group.clone(), members);
    group
}

#[test]
fn a_group_hears_everyone_and_keys_travel_once() {
    let (mut ana, mut beto, mut tables) = phones();
    let group = group(&mut tables, &[&ana, &beto]);
    for what in ["uno", "dos"] {
        let (_, stanza) = ana.compose_text(&group, what, &mut tables).unwrap();
        assert_eq!(
            stanza.get_optional_child("participants").is_some(),
            what == "uno"
        );
        let incoming = deliver(&stanza, ana.lid(), beto.lid()).unwrap();
        let answers = beto.receive(&incoming, &mut tables);
        let receipt = tagged(&answers, "receipt").unwrap();
        assert_eq!(text(receipt, "participant"), Some(ana.lid().to_string()));
    }
    let (_, stanza) = beto.compose_text(&group, "tres", &mut tables).unwrap();
    ana.receive(
        &deliver(&stanza, beto.lid(), ana.lid()).unwrap(),
        &mut tables,
    );
    assert_eq!(texts(&beto), ["uno", "dos"]);
    assert_eq!(texts(&ana), ["tres"]);
    assert_eq!(beto.inbox()[0].chat, group);
}

#[test]
fn a_lost_sender_key_is_sent_again_on_request() {
    let (mut ana, mut beto, mut tables) = phones();
    let group = group(&mut tables, &[&ana, &beto]);
    ana.compose_text(&group, "se pierde", &mut tables).unwrap();
    let (_, stanza) = ana.compose_text(&group, "llega", &mut tables).unwrap();
    let incoming = deliver(&stanza, ana.lid(), beto.lid()).unwrap();
    let answers = beto.receive(&incoming, &mut tables);
    let mut retry = stamped(tagged(&answers, "receipt").unwrap(), &group);
    assert_eq!(text(&retry, "type").as_deref(), Some("retry"));
    retry.attrs.insert("participant", beto.lid());
    let answers = ana.receive(&retry, &mut tables);
    let resent = tagged(&answers, "message").unwrap();
    assert_eq!(text(resent, "participant"), Some(beto.lid().to_string()));
    beto.receive(
        &deliver(resent, ana.lid(), beto.lid()).unwrap(),
        &mut tables,
    );
    // With the key at hand the first one can still be read, if it ever arrives.
    assert_eq!(texts(&beto), ["llega"]);
}

#[test]
fn who_left_the_group_cannot_read_on() {
    let (mut ana, mut beto, mut tables) = phones();
    let name = group(&mut tables, &[&ana, &beto]);
    let (_, stanza) = ana.compose_text(&name, "juntos", &mut tables).unwrap();
    beto.receive(
        &deliver(&stanza, ana.lid(), beto.lid()).unwrap(),
        &mut tables,
    );
    group(&mut tables, &[&ana]);
    let (_, stanza) = ana.compose_text(&name, "a solas", &mut tables).unwrap();
    let answers = beto.receive(
        &deliver(&stanza, ana.lid(), beto.lid()).unwrap(),
        &mut tables,
    );
    assert_eq!(texts(&beto), ["juntos"]);
    let receipt = tagged(&answers, "receipt").unwrap();
    assert_eq!(text(receipt, "type").as_deref(), Some("retry"));
}
