//! What the phone writes into app state, read by wacore's own reader.

use std::collections::HashMap;
use std::sync::Arc;

use buffa::Message as _;
use wacore_appstate::hash::HashState;
use wacore_appstate::{AppStateError, expand_app_state_keys, process_patch};
use waproto::whatsapp as wa;

use super::phones;
use crate::phone::{Phone, PhoneError};

/// The push names in `critical_block`, every MAC checked on the way.
fn names(phone: &Phone) -> Result<Vec<String>, AppStateError> {
    let shared = phone.appstate.key(1, 1, vec![0]);
    let keys = Arc::new(expand_app_state_keys(
        shared.key_data.key_data.as_deref().unwrap(),
    ));
    let critical = phone
        .appstate()
        .into_iter()
        .find(|collection| collection.name == "critical_block")
        .unwrap();
    let mut state = HashState::default();
    let mut values: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    let mut names = Vec::new();
    for patch in &critical.patches {
        let patch = wa::SyncdPatch::decode_from_slice(patch).unwrap();
        let result = process_patch(
            &patch,
            &mut state,
            |_| Ok(keys.clone()),
            |index| Ok(values.get(index).cloned()),
            true,
            "critical_block",
        )?;
        assert!(!state.mac_mismatch_fatal, "the snapshot MAC follows");
        for mac in result.added_macs {
            values.insert(mac.index_mac, mac.value_mac);
        }
        names.extend(result.mutations.into_iter().filter_map(|mutation| {
            assert_eq!(mutation.index, ["setting_pushName"]);
            mutation.action_value?.push_name_setting.name.clone()
        }));
    }
    assert_eq!(state.version, critical.version);
    Ok(names)
}

#[test]
fn the_push_name_is_in_critical_block_and_changes_follow() {
    let (mut ana, _, _) = phones();
    assert_eq!(names(&ana).unwrap(), ["Ana"]);
    ana.rename("Ana Tienda");
    ana.rename("Tienda de Ana");
    assert_eq!(names(&ana).unwrap(), ["Ana", "Ana Tienda", "Tienda de Ana"]);
    let empty = ana
        .appstate()
        .into_iter()
        .filter(|collection| collection.version == 0 && collection.patches.is_empty())
        .count();
    assert_eq!(empty, 4);
}

#[test]
fn a_companions_patch_is_taken_in_and_a_tampered_one_is_not() {
    let (mut ana, _, _) = phones();
    ana.rename("Tienda");
    let patches = ana.appstate()[0].patches.clone();
    // A phone that shares the key but is one patch behind takes the second one in.
    let mut behind = Phone::new("573000000001", "900000000001", "Ana", true);
    behind.appstate = crate::phone::AppState::with_key_of(&ana.appstate);
    behind.absorb_patch("critical_block", &patches[0]).unwrap();
    let mut tampered = wa::SyncdPatch::decode_from_slice(&patches[1]).unwrap();
    tampered.patch_mac.as_mut().unwrap()[0] ^= 1;
    assert!(matches!(
        behind.absorb_patch("critical_block", &tampered.encode_to_vec()),
        Err(PhoneError::Forged(_))
    ));
    behind.absorb_patch("critical_block", &patches[1]).unwrap();
    assert_eq!(names(&behind).unwrap(), ["Ana", "Tienda"]);
}
