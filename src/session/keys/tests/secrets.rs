//! Privacy tokens, sent messages, pending ones, and message secrets.

use super::*;

#[tokio::test]
async fn both_writers_of_a_privacy_token_keep_to_their_own_field() {
    let (mut at, keys) = Kept::new();
    keys.touch_tc_token_sender_timestamp("a@lid", 5000)
        .await
        .unwrap();
    let placeholder = keys.get_tc_token("a@lid").await.unwrap().unwrap();
    assert!(placeholder.token.is_empty());
    assert_eq!(placeholder.token_timestamp, 5000);
    // An older real token still replaces a placeholder.
    keys.store_received_tc_token("a@lid", &[1], 4000)
        .await
        .unwrap();
    keys.store_received_tc_token("a@lid", &[2], 3000)
        .await
        .unwrap();
    keys.touch_tc_token_sender_timestamp("a@lid", 1000)
        .await
        .unwrap();
    let keys = at.reopen(keys).await;
    let token = keys.get_tc_token("a@lid").await.unwrap().unwrap();
    assert_eq!((token.token, token.token_timestamp), (vec![1], 4000));
    assert_eq!(token.sender_timestamp, Some(5000));
    keys.store_received_tc_token("a@lid", &[3], 4000)
        .await
        .unwrap();
    keys.touch_tc_token_sender_timestamp("a@lid", 6000)
        .await
        .unwrap();
    let token = keys.get_tc_token("a@lid").await.unwrap().unwrap();
    assert_eq!((token.token, token.sender_timestamp), (vec![3], Some(6000)));
}

#[tokio::test]
async fn a_privacy_token_goes_only_when_both_its_halves_are_stale() {
    let (_at, keys) = Kept::new();
    let entry = |token: &[u8], sender_timestamp| TcTokenEntry {
        token: token.to_vec(),
        token_timestamp: 500,
        sender_timestamp,
    };
    for (jid, token) in [
        ("both@lid", entry(&[1], Some(1))),
        ("no-sender@lid", entry(&[1], None)),
        ("sender@lid", entry(&[1], Some(2500))),
        ("placeholder@lid", entry(&[], Some(2500))),
    ] {
        keys.put_tc_token(jid, &token).await.unwrap();
    }
    let fresh = TcTokenEntry {
        token_timestamp: 1000,
        ..entry(&[1], None)
    };
    keys.put_tc_token("token@lid", &fresh).await.unwrap();
    assert_eq!(keys.delete_expired_tc_tokens(1000, 2000).await.unwrap(), 2);
    assert_eq!(
        keys.get_all_tc_token_jids().await.unwrap(),
        ["placeholder@lid", "sender@lid", "token@lid"]
    );
    keys.delete_tc_token("token@lid").await.unwrap();
    assert!(keys.get_tc_token("token@lid").await.unwrap().is_none());
}

#[tokio::test]
async fn a_sent_message_can_be_taken_once() {
    let (mut at, keys) = Kept::new();
    keys.store_sent_message(ALICE, "m1", b"payload")
        .await
        .unwrap();
    keys.store_sent_message(ALICE, "m2", b"other")
        .await
        .unwrap();
    let keys = at.reopen(keys).await;
    let taken = keys.take_sent_message(ALICE, "m1").await.unwrap();
    assert_eq!(taken.as_deref(), Some(b"payload".as_slice()));
    assert!(keys.take_sent_message(ALICE, "m1").await.unwrap().is_none());
    let now = wacore::time::now_secs();
    assert_eq!(
        keys.delete_expired_sent_messages(now - 60).await.unwrap(),
        0
    );
    assert_eq!(
        keys.delete_expired_sent_messages(now + 60).await.unwrap(),
        1
    );
    assert!(keys.take_sent_message(ALICE, "m2").await.unwrap().is_none());
}

#[tokio::test]
async fn pending_messages_are_told_apart_by_chat_sender_and_id() {
    let (mut at, keys) = Kept::new();
    let row = |chat, sender, id, message| PendingInboundRow {
        chat,
        sender,
        id,
        message,
    };
    keys.store_pending_inbound_batch(&[
        row("c", "s", "1", b"one"),
        row("c", "s1", "", b"two"),
        row("cs", "", "1", b"three"),
    ])
    .await
    .unwrap();
    keys.store_pending_inbound("c", "s", "1", b"again")
        .await
        .unwrap();
    // Its commit covers the rows: this is what the crate relies on.
    keys.put_session(ALICE, b"ratchet").await.unwrap();
    let keys = at.reopen(keys).await;
    let get = async |c, s, i| keys.get_pending_inbound(c, s, i).await.unwrap();
    assert_eq!(get("c", "s", "1").await.unwrap(), b"again");
    assert_eq!(get("c", "s1", "").await.unwrap(), b"two");
    assert_eq!(get("cs", "", "1").await.unwrap(), b"three");
    assert!(get("c", "", "s1").await.is_none());

    let key = |chat, sender, id| PendingInboundKey { chat, sender, id };
    keys.delete_pending_inbound_batch(&[key("c", "s", "1"), key("no", "t", "here")])
        .await
        .unwrap();
    keys.delete_pending_inbound("c", "s1", "").await.unwrap();
    assert!(get("c", "s", "1").await.is_none());
    assert!(get("c", "s1", "").await.is_none());
    let now = wacore::time::now_secs();
    assert_eq!(
        keys.delete_expired_pending_inbound(now - 60).await.unwrap(),
        0
    );
    assert_eq!(
        keys.delete_expired_pending_inbound(now + 60).await.unwrap(),
        1
    );
}

fn secret(id: &str, fill: u8, expires_at: i64, message_ts: i64) -> MsgSecretEntry {
    MsgSecretEntry {
        chat: Arc::from(ALICE),
        sender: Arc::from(ALICE),
        msg_id: Arc::from(id),
        secret: [fill; 32],
        expires_at,
        message_ts,
    }
}

#[tokio::test]
async fn a_message_secret_keeps_its_longest_life_and_its_known_time() {
    let (mut at, keys) = Kept::new();
    let stored = keys
        .put_msg_secrets(vec![
            secret("m", 1, 900, 50),
            secret("m", 2, 300, 0),
            secret("other", 3, 0, 0),
        ])
        .await
        .unwrap();
    assert_eq!(stored, 3);
    let keys = at.reopen(keys).await;
    let get = async |id| keys.get_msg_secret_with_ts(ALICE, ALICE, id).await.unwrap();
    assert_eq!(get("m").await, Some((vec![2; 32], 50)));
    assert_eq!(keys.delete_expired_msg_secrets(899).await.unwrap(), 0);
    keys.put_msg_secrets(vec![secret("m", 2, 1000, 40)])
        .await
        .unwrap();
    assert_eq!(keys.delete_expired_msg_secrets(900).await.unwrap(), 0);
    assert_eq!(get("m").await, Some((vec![2; 32], 50)));
    assert_eq!(keys.delete_expired_msg_secrets(1000).await.unwrap(), 1);
    assert!(get("m").await.is_none());
    assert!(
        keys.get_msg_secret(ALICE, "nobody", "other")
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        keys.get_msg_secret(ALICE, ALICE, "other").await.unwrap(),
        Some(vec![3; 32])
    );
}

#[tokio::test]
async fn never_wins_over_every_deadline_and_all_expired_go() {
    let (_at, keys) = Kept::new();
    keys.put_msg_secrets(vec![secret("never", 1, 100, 0)])
        .await
        .unwrap();
    keys.put_msg_secret(ALICE, ALICE, "never", &[1; 32])
        .await
        .unwrap();
    keys.put_msg_secrets(vec![secret("never", 1, 200, 0)])
        .await
        .unwrap();
    let many = (0..700).map(|n| secret(&n.to_string(), 2, 1 + n % 300, 0));
    keys.put_msg_secrets(many.collect()).await.unwrap();
    keys.put_msg_secrets(vec![secret("past", 3, -5, 0)])
        .await
        .unwrap();
    assert_eq!(keys.delete_expired_msg_secrets(250).await.unwrap(), 601);
    assert!(
        keys.get_msg_secret(ALICE, ALICE, "never")
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        keys.get_msg_secret(ALICE, ALICE, "past")
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        keys.get_msg_secret(ALICE, ALICE, "299")
            .await
            .unwrap()
            .is_some()
    );
}
