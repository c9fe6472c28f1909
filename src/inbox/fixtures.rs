//! Messages and stores for tests: invented numbers, invented texts.
#![allow(clippy::unwrap_used)]

use tempfile::TempDir;

use super::{Inbox, ServiceClock, Settings};
use crate::message::{Body, ChatId, Incoming, MessageId, Sender, ServerTime};
use crate::store::Store;

/// 2 March 2026, 10:00 in Bogotá: a Monday.
pub(crate) const MONDAY_TEN: i64 = 1_772_463_600;

/// Customer `n`'s chat by number.
pub(crate) fn by_number(n: u32) -> ChatId {
    ChatId::new(format!("5730000000{n:02}@s.whatsapp.net"))
}

/// The same customer's chat by LID.
pub(crate) fn by_lid(n: u32) -> ChatId {
    ChatId::new(format!("1000000000000{n:02}@lid"))
}

/// A text of customer `n` that came under number and LID, live, on Monday at ten.
pub(crate) fn text(n: u32, id: &str, text: &str) -> Incoming {
    Incoming {
        id: MessageId(id.to_owned()),
        chat: by_number(n),
        chat_alt: Some(by_lid(n)),
        sender: Sender {
            number: Some(by_number(n).user().to_owned()),
            lid: Some(by_lid(n).user().to_owned()),
            name: "Marta".to_owned(),
            device: 0,
        },
        from_me: false,
        sent_at: ServerTime(MONDAY_TEN),
        offline: false,
        body: Body::Text(text.to_owned()),
    }
}

/// The message as it looks when only the number is known.
pub(crate) fn number_only(mut message: Incoming) -> Incoming {
    message.chat_alt = None;
    message.sender.lid = None;
    message
}

/// The message as it looks when only the LID is known.
pub(crate) fn lid_only(mut message: Incoming) -> Incoming {
    if let Some(lid) = message.chat_alt.take() {
        message.chat = lid;
    }
    message.sender.number = None;
    message
}

/// The owner writes to customer `n` on the phone.
pub(crate) fn owner(n: u32, id: &str) -> Incoming {
    let mut message = text(n, id, "ya te atiendo");
    message.from_me = true;
    message.sender = Sender {
        number: Some("573000000099".to_owned()),
        ..Sender::default()
    };
    message
}

/// A place for a store that outlives the store.
pub(crate) struct Disk(TempDir);

impl Disk {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// What a process that is killed now leaves behind.
    pub(crate) fn as_if_killed(&self) -> Self {
        fn copy(from: &std::path::Path, to: &std::path::Path) {
            for entry in std::fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                let to = to.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    std::fs::create_dir(&to).unwrap();
                    copy(&entry.path(), &to);
                } else {
                    std::fs::copy(entry.path(), to).unwrap();
                }
            }
        }
        let left = Self::new();
        copy(self.0.path(), left.0.path());
        left
    }

    /// As after a start of the process. Whatever held the store before must be gone.
    pub(crate) fn open(&self) -> Store {
        Store::open(self.0.path()).unwrap()
    }
}

/// An inbox whose wall clock says that it is Monday, ten o'clock.
pub(crate) fn inbox(store: &Store, settings: Settings) -> Inbox {
    let clock = ServiceClock::new(|| ServerTime(MONDAY_TEN));
    Inbox::open(store, settings, clock).unwrap()
}
