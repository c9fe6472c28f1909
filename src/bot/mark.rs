//! The ids of answers. An id says three things to whoever knows the form: that a vinculo gave it,
//! which message it answers, and by which rule. So another box on the same number recognises an
//! answer among the messages of its own account, also under other rules, and two boxes with the
//! same rules give an answer the same id, of which a phone shows the first.
//!
//! `3EB0` and nine bytes in capital hex digits, as the service's own clients write theirs: five
//! for the message, two for the rule, two that prove the form. One id in 65,536 that another
//! client of the owner makes up proves it by chance; a phone's own ids are of another length.

use sha2::{Digest, Sha256};

use crate::message::{ChatId, ChatKind, Incoming, MessageId};

const PREFIX: &str = "3EB0";

/// Which message an answer is to: a digest of chat, author and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part(pub [u8; 5]);

/// The names an answer to this message may carry it under: one for each name of chat and author.
/// The first is the one that our own answers carry; it prefers numbers, so that a box that knows
/// both names gives the same one under whichever the message came.
pub fn parts(message: &Incoming) -> Vec<Part> {
    let mut chats: Vec<_> = message.chat_names().map(ChatId::as_str).collect();
    chats.sort_by_key(|name| !name.ends_with("@s.whatsapp.net"));
    let sender = &message.sender;
    let mut authors: Vec<&str> = match message.chat.kind() {
        // The author is whom the chat is with.
        ChatKind::Direct => Vec::new(),
        ChatKind::Group | ChatKind::Broadcast | ChatKind::Other => [&sender.number, &sender.lid]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect(),
    };
    if authors.is_empty() {
        authors.push("");
    }
    chats
        .into_iter()
        .flat_map(|chat| authors.iter().map(move |author| (chat, *author)))
        .map(|(chat, author)| {
            Part(digest(&[
                b"message",
                chat.as_bytes(),
                author.as_bytes(),
                message.id.0.as_bytes(),
            ]))
        })
        .collect()
}

/// The name that our own answers to this message carry it under.
pub fn part(message: &Incoming) -> Part {
    // There is always a chat.
    parts(message).first().copied().unwrap_or(Part([0; 5]))
}

/// The id of the answer that a rule, named by its key, gives to a message.
pub fn id(part: Part, rule: &[u8]) -> MessageId {
    let by: [u8; 2] = digest(&[b"rule", &part.0, rule]);
    let mut bytes = [part.0.as_slice(), &by].concat();
    bytes.extend(proof(&bytes));
    let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    MessageId(format!("{PREFIX}{hex}"))
}

/// Which message an id says it answers; `None` for an id of another form.
pub fn read(id: &MessageId) -> Option<Part> {
    let hex = id.0.strip_prefix(PREFIX).filter(|hex| hex.len() == 18)?;
    let bytes: Vec<u8> = (0..9)
        .map(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok())
        .collect::<Option<_>>()?;
    let (said, proven) = bytes.split_at(7);
    (proof(said) == proven).then_some(())?;
    Some(Part(said.get(..5)?.try_into().ok()?))
}

fn proof(said: &[u8]) -> [u8; 2] {
    digest(&[b"vinculo", said])
}

fn digest<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    std::array::from_fn(|i| digest[i])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::inbox::fixtures::{lid_only, number_only, text};

    #[test]
    fn an_id_names_its_message_under_every_name_and_rule() {
        let both = text(1, "A", "hola");
        let first = parts(&both)[0];
        for rule in [b"one".as_slice(), b"two"] {
            assert_eq!(read(&id(first, rule)), Some(first));
        }
        assert_ne!(id(first, b"one"), id(first, b"two"));
        let mut other_way = both.clone();
        std::mem::swap(&mut other_way.chat, other_way.chat_alt.as_mut().unwrap());
        assert_eq!(parts(&other_way)[0], first, "whichever name it came under");
        assert_eq!(parts(&number_only(both.clone())), [first]);
        let by_lid = parts(&lid_only(both.clone()));
        assert_eq!(
            by_lid,
            parts(&both)[1..],
            "a box that knows the LID alone is understood"
        );
    }

    #[test]
    fn in_a_group_the_author_counts() {
        let in_group = |n| {
            let mut message = text(n, "A", "hola");
            message.chat = ChatId::new("1203630000@g.us");
            message.chat_alt = None;
            message
        };
        let (ana, luis) = (parts(&in_group(1)), parts(&in_group(2)));
        assert_eq!(ana.len(), 2);
        assert!(ana.iter().all(|part| !luis.contains(part)));
    }

    #[test]
    fn ids_of_other_clients_are_not_taken_for_ours() {
        let id = id(Part([1, 2, 3, 4, 5]), b"rule");
        let mut mistaken = 0;
        for n in 0..20_000_u32 {
            let other = format!(
                "{PREFIX}{:018X}",
                u128::from(n) * 0x9E37_79B9_7F4A_7C15 % (1 << 72)
            );
            mistaken += u32::from(read(&MessageId(other)).is_some());
        }
        assert!(mistaken <= 3, "{mistaken} of 20,000");
        for text in [
            "",
            "3EB0",
            "3A00112233445566778899",
            "3EB0ñ0112233445566778",
        ] {
            assert_eq!(read(&MessageId(text.to_owned())), None, "{text}");
        }
        let cut = MessageId(id.0[..21].to_owned());
        assert_eq!(read(&cut), None);
    }
}
