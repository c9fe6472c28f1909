//! A busy day, and what must be left of it.
//!
//! Every value says which it is and can be recomputed, so that a half or a wrong one is seen.

use std::path::{Path, PathBuf};

use vinculo::session::keys::Keys;
use vinculo::store::{Batch, Database, Options, Space, Store};
use wacore::store::traits::{DeviceStore, PendingInboundRow, ProtocolStore, SignalStore};

const MESSAGES: u64 = 450;
const KEPT: u64 = 120;
const CHATS: u64 = 12;
const RESET_AT: u64 = 380;
const PREKEYS: u32 = 812;

/// What had been promised by a moment: the greatest number of each kind.
#[derive(Debug, Default)]
pub struct Promised {
    link: Option<u64>,
    log: Option<u64>,
    trimmed: u64,
    device: Option<u64>,
    large: Option<u64>,
    prekeys: bool,
    reset_asked: bool,
    reset_begun: bool,
    reset_done: bool,
}

pub fn live() {
    let dir = PathBuf::from(std::env::var_os("CUT_DIR").unwrap());
    let sync = std::env::var("CUT_SYNC").unwrap() == "yes";
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let housekeeping_ms = std::env::var("CUT_HOUSEKEEPING_MS").unwrap();
    let options = Options {
        sync,
        housekeeping_ms: housekeeping_ms.parse().unwrap(),
        ..Options::default()
    };
    runtime.block_on(day(&dir, options));
}

/// Writes into the record.
pub fn marks() -> impl FnMut(String) {
    use std::io::Write;

    let mut marks = std::fs::File::create(std::env::var_os("CUT_MARKS").unwrap()).unwrap();
    move |text| marks.write_all(text.as_bytes()).unwrap()
}

async fn day(dir: &Path, options: Options) {
    let mut mark = marks();
    let mut store = Store::open_with(dir, options).unwrap();
    let mut keys = Keys::new(store.link());
    for number in 0..MESSAGES {
        if number == 0 || number == RESET_AT {
            keys.create().await.unwrap();
            let records: Vec<_> = (0..PREKEYS).map(|id| (id, prekey(id).into())).collect();
            keys.store_prekeys_batch(&records, false).await.unwrap();
            mark("prekeys".to_owned());
        }
        if number == 100 {
            mark("plain".to_owned());
        }
        if number == 160 {
            mark("other".to_owned());
        }
        message(&store, &keys, number, &mut mark).await;
        let plain = (100..160).contains(&number);
        if !plain && number % 10 == 3 {
            let mut device = keys.load().await.unwrap().unwrap();
            device.login_counter = number as i32;
            keys.save(&device).await.unwrap();
            mark(format!("device {number}"));
        }
        if !plain && number % 20 == 7 {
            let large = pattern(number, large_length(number));
            keys.put_group_metadata("large", &large).await.unwrap();
            store.link().commit().await.unwrap();
            mark(format!("large {number}"));
        }
        if !plain && number % 60 == 59 {
            drop((store, keys));
            store = Store::open_with(dir, options).unwrap();
            keys = Keys::new(store.link());
        }
        if number == RESET_AT - 1 {
            mark("reset asked".to_owned());
            store.begin_reset().await.unwrap();
            mark("reset begun".to_owned());
            store.reset().await.unwrap();
            mark("reset done".to_owned());
        }
    }
}

/// A message comes in as the protocol crate and the inbox treat one.
async fn message(store: &Store, keys: &Keys, number: u64, mark: &mut impl FnMut(String)) {
    let (chat, id) = (chat(number), number.to_string());
    let payload = pattern(number, 100 + (number as usize * 97) % 900);
    let row = PendingInboundRow {
        chat: &chat,
        sender: &chat,
        id: &id,
        message: &payload,
    };
    keys.store_pending_inbound_batch(&[row]).await.unwrap();
    let session = pattern(number, 800 + (number as usize * 131) % 2500);
    keys.put_sessions_batch(&[(chat.as_str().into(), session.into())])
        .await
        .unwrap();
    mark(format!("link {number}"));

    let inbox = Inbox::new(store.log());
    let mut batch = Batch::default();
    batch.put(&inbox.messages, &number.to_be_bytes(), payload);
    batch.put(&inbox.ids, id.as_bytes(), number.to_be_bytes());
    batch.put(&inbox.next, b"next", (number + 1).to_be_bytes());
    let first = if number >= RESET_AT { RESET_AT } else { 0 };
    if number >= first + KEPT {
        let old = number - KEPT;
        mark(format!("trimmed {}", old + 1));
        batch.delete(&inbox.messages, &old.to_be_bytes());
        batch.delete(&inbox.ids, old.to_string().as_bytes());
    }
    store.log().apply(batch).unwrap();
    store.log().commit().await.unwrap();
    mark(format!("log {number}"));
    keys.delete_pending_inbound(&chat, &chat, &id)
        .await
        .unwrap();
    // One in nine comes from somebody new.
    if number.is_multiple_of(9) {
        keys.remove_prekey(number as u32 % PREKEYS).await.unwrap();
    }
}

struct Inbox {
    messages: Space,
    ids: Space,
    next: Space,
}

impl Inbox {
    fn new(log: &Database) -> Self {
        Self {
            messages: log.space("messages"),
            ids: log.space("ids"),
            next: log.space("next"),
        }
    }
}

impl Promised {
    pub fn note(&mut self, mark: &str) {
        let (kind, rest) = mark.split_once(' ').unwrap_or((mark, ""));
        let number = || rest.parse().unwrap();
        match (kind, rest) {
            ("link", _) => self.link = Some(number()),
            ("log", _) => self.log = Some(number()),
            ("trimmed", _) => self.trimmed = number(),
            ("device", _) => self.device = Some(number()),
            ("large", _) => self.large = Some(number()),
            ("prekeys", _) => self.prekeys = true,
            ("reset", "asked") => self.reset_asked = true,
            ("reset", "begun") => self.reset_begun = true,
            ("reset", "done") => {
                *self = Self {
                    reset_done: true,
                    trimmed: RESET_AT,
                    ..Self::default()
                };
            }
            ("plain" | "other", _) => {}
            _ => panic!("unknown mark {mark}"),
        }
    }

    /// Opens what a cut left, and looks.
    pub fn check(&self, dir: &Path) -> Result<(), String> {
        let store = Store::open(dir).map_err(|error| format!("does not open: {error}"))?;
        let opened = store.opened();
        if !opened.set_aside.is_empty() {
            return Err(format!("set aside: {:?}", opened.set_aside));
        }
        if opened.reset_pending && !self.reset_asked {
            return Err("a reset is reported that nobody asked for".to_owned());
        }
        if opened.reset_pending {
            // It may have got anywhere. Finishing it must work.
            now(store.reset()).map_err(|error| format!("the reset does not finish: {error}"))?;
        }
        if opened.reset_pending || self.reset_begun {
            let keys = Keys::new(store.link());
            return match (now(keys.exists()), Inbox::new(store.log()).next.last()) {
                (Ok(false), Ok(None)) => Ok(()),
                left => Err(format!("left after a reset: {left:?}")),
            };
        }
        self.check_link(&store)
            .map_err(|error| format!("link: {error}"))?;
        self.check_log(&store)
            .map_err(|error| format!("log: {error}"))
    }

    fn check_link(&self, store: &Store) -> Result<(), String> {
        let keys = Keys::new(store.link());
        let wait = |error: wacore::store::error::StoreError| format!("{error:?}");
        now(async {
            let device = keys.load().await.map_err(wait)?;
            let counter = device.map(|device| device.login_counter as u64);
            if self.prekeys && counter.is_none() {
                return Err("the device is gone".to_owned());
            }
            if counter < self.device {
                return Err(format!("device {counter:?}, promised {:?}", self.device));
            }

            // The ratchet that is furthest, and the message it decrypted.
            let mut furthest = None;
            for chat in 0..CHATS {
                let address = chat_name(chat);
                if let Some(session) = keys.get_session(&address).await.map_err(wait)? {
                    let number = of_pattern(&session).ok_or("half a session")?;
                    if chat_name(number % CHATS) != address {
                        return Err("a session at the wrong address".to_owned());
                    }
                    furthest = furthest.max(Some(number));
                }
            }
            if furthest < self.link {
                return Err(format!("session {furthest:?}, promised {:?}", self.link));
            }
            if let Some(number) = furthest {
                let (chat, id) = (chat(number), number.to_string());
                let pending = keys
                    .get_pending_inbound(&chat, &chat, &id)
                    .await
                    .map_err(wait)?;
                let arrived = Inbox::new(store.log())
                    .ids
                    .contains(id.as_bytes())
                    .map_err(|error| error.to_string())?;
                match pending {
                    Some(row) if of_pattern(&row) != Some(number) => {
                        return Err("half a pending row".to_owned());
                    }
                    None if !arrived => {
                        return Err(format!("ratchet at {number} without its message"));
                    }
                    _ => {}
                }
            }

            let large = keys.get_group_metadata("large").await.map_err(wait)?;
            let large = large
                .map(|large| {
                    of_pattern(&large)
                        .filter(|number| large.len() == large_length(*number))
                        .ok_or("half a large value")
                })
                .transpose()?;
            if large < self.large {
                return Err(format!("large {large:?}, promised {:?}", self.large));
            }

            let ids: Vec<u32> = (0..PREKEYS).collect();
            let prekeys = keys.load_prekeys_batch(&ids).await.map_err(wait)?;
            let used = self.link.map_or(0, |number| number + 2) as usize;
            if self.prekeys && prekeys.len() + used < PREKEYS as usize {
                return Err(format!("{} prekeys are left", prekeys.len()));
            }
            match prekeys.iter().find(|(id, record)| *record != prekey(*id)) {
                Some((id, _)) => Err(format!("prekey {id} is wrong")),
                None => Ok(()),
            }
        })
    }

    fn check_log(&self, store: &Store) -> Result<(), String> {
        let inbox = Inbox::new(store.log());
        let fail = |error: vinculo::store::StoreError| error.to_string();
        let messages = inbox.messages.scan(b"", usize::MAX).map_err(fail)?;
        let ids = inbox.ids.scan(b"", usize::MAX).map_err(fail)?;
        let numbers: Vec<u64> = messages
            .iter()
            .map(|(key, _)| u64::from_be_bytes(key.as_slice().try_into().unwrap()))
            .collect();
        for (number, (_, payload)) in numbers.iter().zip(&messages) {
            if of_pattern(payload) != Some(*number) {
                return Err(format!("message {number} is not whole"));
            }
            if inbox.ids.get(number.to_string().as_bytes()).map_err(fail)?
                != Some(number.to_be_bytes().to_vec())
            {
                return Err(format!("message {number} without its id"));
            }
        }
        if ids.len() != numbers.len() {
            return Err(format!("{} ids, {} messages", ids.len(), numbers.len()));
        }
        if numbers.windows(2).any(|two| two[0] + 1 != two[1]) {
            return Err("a message is missing between others".to_owned());
        }
        let next = inbox.next.get(b"next").map_err(fail)?;
        let next = next.map(|next| u64::from_be_bytes(next.try_into().unwrap()));
        if next != numbers.last().map(|last| last + 1) {
            return Err(format!(
                "next is {next:?}, the last is {:?}",
                numbers.last()
            ));
        }
        if numbers.last().copied() < self.log {
            return Err(format!(
                "the last is {:?}, promised {:?}",
                numbers.last(),
                self.log
            ));
        }
        if self.reset_done && numbers.first().is_some_and(|first| *first < RESET_AT) {
            return Err("a message from before the reset is back".to_owned());
        }
        match numbers.first() {
            Some(first) if *first > self.trimmed => Err(format!("the first is {first}")),
            _ => Ok(()),
        }
    }
}

fn chat(number: u64) -> String {
    chat_name(number % CHATS)
}

fn chat_name(chat: u64) -> String {
    format!("5730000000{chat:02}@s.whatsapp.net")
}

fn prekey(id: u32) -> Vec<u8> {
    pattern(u64::from(id), 74)
}

/// Around and far above what the library would put into a file of its own.
fn large_length(number: u64) -> usize {
    match number / 20 % 3 {
        0 => 20_000,
        1 => 150_000,
        _ => 300_000,
    }
}

/// Bytes that tell their number and can be told from any others.
pub fn pattern(number: u64, length: usize) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn of_pattern(bytes: &[u8]) -> Option<u64> {
    let number = u64::from_be_bytes(*bytes.first_chunk()?);
    (pattern(number, bytes.len()) == bytes).then_some(number)
}

/// Reading waits for nothing.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}
