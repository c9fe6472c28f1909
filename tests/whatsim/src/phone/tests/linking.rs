//! A companion is linked by QR and by code; wacore's companion side is the witness.

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use buffa::Message as _;
use flate2::read::ZlibDecoder;
use wacore::adv::{AdvValidation, decode_key_index_list, validate_adv_with_identity_key};
use wacore::companion_reg::{CompanionWebClientType, NATIVE_CAMERA_DEEP_LINK_PREFIX};
use wacore::libsignal::protocol::KeyPair;
use wacore::messages::decode_plaintext;
use wacore::pair::{DeviceState, PairUtils};
use wacore::pair_code::PairCodeUtils;
use wacore_binary::Node;

use super::{deliver, phones};
use crate::phone::signal::{Signal, bare};
use crate::phone::stanza::{bytes, text};
use crate::phone::{Phone, PhoneError, ScannedQr, rng};

fn companion() -> DeviceState {
    DeviceState {
        identity_key: KeyPair::generate(&mut rng()),
        noise_key: KeyPair::generate(&mut rng()),
        adv_secret_key: rand::random(),
    }
}

fn qr(device: &DeviceState) -> String {
    PairUtils::make_qr_data(device, "2@ref", CompanionWebClientType::Chrome)
}

pub(super) fn link(phone: &mut Phone, index: u16) -> DeviceState {
    let device = companion();
    let scanned = ScannedQr::parse(&qr(&device)).unwrap();
    let endorsement = phone.endorse_qr(&scanned, index).unwrap();
    let (answer, key_index) =
        PairUtils::do_pair_crypto(&device, &endorsement.device_identity).unwrap();
    assert_eq!(key_index, endorsement.key_index);
    assert_eq!(phone.countersigned(&answer).unwrap(), index);
    device
}

#[test]
fn a_scanned_companion_accepts_the_endorsement_and_is_counted() {
    let (mut ana, _, _) = phones();
    let device = companion();
    let scanned = ScannedQr::parse(&qr(&device)).unwrap();
    assert_eq!(scanned.reference, "2@ref");
    assert_eq!(scanned.noise, bare(&device.noise_key.public_key));
    let deep = format!("{NATIVE_CAMERA_DEEP_LINK_PREFIX}{}", qr(&device));
    assert_eq!(ScannedQr::parse(&deep).unwrap(), scanned);

    let endorsement = ana.endorse_qr(&scanned, 1).unwrap();
    assert!(ana.companions().is_empty(), "not before it countersigned");
    let (answer, key_index) =
        PairUtils::do_pair_crypto(&device, &endorsement.device_identity).unwrap();
    assert_eq!(ana.countersigned(&answer).unwrap(), 1);
    assert_eq!(ana.companions(), [1]);
    let identity = bare(&device.identity_key.public_key);
    assert_eq!(
        validate_adv_with_identity_key(&answer, &identity, None),
        AdvValidation::Valid
    );
    let list = decode_key_index_list(&ana.key_index_list()).unwrap();
    assert!(list.valid_indexes.contains(&key_index));
}

#[test]
fn a_forged_countersignature_links_nothing() {
    let (mut ana, _, _) = phones();
    let device = companion();
    let scanned = ScannedQr::parse(&qr(&device)).unwrap();
    let endorsement = ana.endorse_qr(&scanned, 1).unwrap();
    let (answer, _) = PairUtils::do_pair_crypto(&device, &endorsement.device_identity).unwrap();
    let mut forged = answer.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert!(matches!(
        ana.countersigned(&forged),
        Err(PhoneError::Forged(_))
    ));
    assert!(ana.companions().is_empty());
}

#[test]
fn a_wrong_secret_is_refused_by_the_companion() {
    let (mut ana, _, _) = phones();
    let device = companion();
    let mut scanned = ScannedQr::parse(&qr(&device)).unwrap();
    scanned.adv_secret[0] ^= 1;
    let endorsement = ana.endorse_qr(&scanned, 1).unwrap();
    let refusal = PairUtils::do_pair_crypto(&device, &endorsement.device_identity);
    assert_eq!(refusal.unwrap_err().text, "hmac-mismatch");
}

#[test]
fn four_companions_fit_and_a_removed_one_makes_room() {
    let (mut ana, _, _) = phones();
    for index in 1..=4 {
        link(&mut ana, index);
    }
    let fifth = ScannedQr::parse(&qr(&companion())).unwrap();
    assert!(matches!(
        ana.endorse_qr(&fifth, 5),
        Err(PhoneError::NoFreeSlot)
    ));
    let gone = ana.lid().with_device(2);
    ana.remove_device(&gone);
    link(&mut ana, 5);
    assert_eq!(ana.companions(), [1, 3, 4, 5]);
    let list = decode_key_index_list(&ana.key_index_list()).unwrap();
    assert!(!list.valid_indexes.contains(&2));
}

#[test]
fn an_old_phone_says_so_and_rubbish_is_no_qr() {
    let mut old = Phone::new("573000000009", "900000000009", "Vieja", false);
    let scanned = ScannedQr::parse(&qr(&companion())).unwrap();
    assert!(matches!(
        old.endorse_qr(&scanned, 1),
        Err(PhoneError::NotMultidevice)
    ));
    let short = BASE64_STANDARD.encode([0; 31]);
    for text in ["", "hola", "2@ref,a,b,c", &format!("2@ref,{short}")] {
        assert!(matches!(ScannedQr::parse(text), Err(PhoneError::BadQr(_))));
    }
}

#[test]
fn a_code_typed_in_links_and_a_wrong_one_does_not() {
    let (mut ana, _, _) = phones();
    let mut device = companion();
    let ephemeral = KeyPair::generate(&mut rng());
    let hello = PairCodeUtils::encrypt_ephemeral_pub(&bare(&ephemeral.public_key), "ABCD2345");
    let finish = |hello: &crate::phone::PrimaryHello| {
        // The companion always opens the answer with the code it showed.
        let primary =
            PairCodeUtils::decrypt_primary_ephemeral_pub(&hello.wrapped_ephemeral, "ABCD2345")
                .unwrap();
        PairCodeUtils::prepare_key_bundle(
            &ephemeral,
            &primary,
            &hello.identity,
            &device.identity_key,
        )
        .unwrap()
    };
    let identity = bare(&device.identity_key.public_key);

    let answer = ana.enter_code("ABCD2346", &hello).unwrap();
    let (bundle, _) = finish(&answer);
    assert!(matches!(
        ana.finish_code(&bundle, &identity, 1),
        Err(PhoneError::WrongCode)
    ));

    let answer = ana.enter_code("abcd-2345", &hello).unwrap();
    let (bundle, adv_secret) = finish(&answer);
    let endorsement = ana.finish_code(&bundle, &identity, 1).unwrap();
    device.adv_secret_key = adv_secret;
    let (answer, _) = PairUtils::do_pair_crypto(&device, &endorsement.device_identity).unwrap();
    assert_eq!(ana.countersigned(&answer).unwrap(), 1);
    assert!(matches!(
        ana.finish_code(&bundle, &identity, 1),
        Err(PhoneError::NoPairing)
    ));
}

fn read(companion: &mut Signal, phone: &Phone, tables: &[Node]) -> Vec<waproto::whatsapp::Message> {
    tables
        .iter()
        .map(|stanza| {
            let device = phone.lid().with_device(1);
            let part = deliver(stanza, phone.lid(), &device).unwrap();
            assert_eq!(text(&part, "category").as_deref(), Some("peer"));
            let enc = part.get_optional_child("enc").unwrap();
            let plain = companion
                .decrypt(
                    phone.lid(),
                    &text(enc, "type").unwrap(),
                    bytes(enc).unwrap(),
                )
                .unwrap();
            decode_plaintext(&plain, 2).unwrap()
        })
        .collect()
}

fn history(message: &waproto::whatsapp::Message) -> waproto::whatsapp::HistorySync {
    let notification = &message.protocol_message.history_sync_notification;
    assert!(notification.direct_path.is_none(), "nothing to fetch");
    let payload = notification
        .initial_hist_bootstrap_inline_payload
        .as_deref()
        .unwrap();
    let mut plain = Vec::new();
    ZlibDecoder::new(payload).read_to_end(&mut plain).unwrap();
    waproto::whatsapp::HistorySync::decode_from_slice(&plain).unwrap()
}

#[test]
fn a_new_companion_gets_the_key_and_history_inline() {
    let (mut ana, mut beto, mut tables) = phones();
    let (_, hello) = beto.compose_text(ana.lid(), "hola", &mut tables).unwrap();
    let mut hello = deliver(&hello, beto.lid(), ana.lid()).unwrap();
    hello.attrs.insert("notify", beto.name());
    ana.receive(&hello, &mut tables);
    link(&mut ana, 1);
    let mut companion = tables.companion(&ana, 1);
    let device = ana.lid().with_device(1);
    let sent = ana.on_linked(&device, &mut tables);
    let messages = read(&mut companion, &ana, &sent);
    let share = &messages[0].protocol_message.app_state_sync_key_share;
    assert_eq!(share.keys.len(), 1);
    assert_eq!(
        share.keys[0].key_data.key_data.as_deref().unwrap().len(),
        32
    );
    assert_eq!(messages.len(), 3);
    let mappings = history(&messages[1]).phone_number_to_lid_mappings;
    assert_eq!(mappings[1].pn_jid, Some(beto.pn().to_string()));
    assert_eq!(mappings[1].lid_jid, Some(beto.lid().to_string()));
    let names: Vec<_> = history(&messages[2])
        .pushnames
        .into_iter()
        .map(|name| name.pushname.unwrap())
        .collect();
    assert_eq!(names, ["Ana", "Beto"]);
}

#[test]
fn a_device_that_never_countersigned_gets_no_key() {
    let (mut ana, _, mut tables) = phones();
    let mut companion = tables.companion(&ana, 1);
    let device = ana.lid().with_device(1);
    let sent = ana.on_linked(&device, &mut tables);
    let messages = read(&mut companion, &ana, &sent);
    let share = &messages[0].protocol_message.app_state_sync_key_share;
    assert!(share.keys.is_empty());
}
