//! A simulated WhatsApp: the server, its phones, and faults on demand, on loopback only.
//!
//! Clients connect to it as to the real service: WebSocket, Noise, binary stanzas. Phones are primary
//! devices in this process; a phone scans a client's QR, receives its messages and writes to it, with
//! end-to-end encryption of its own. Whatever the server cannot answer truly it counts, see
//! [`counters::Snapshot::unknown`].
//!
//! | on the wire | |
//! |---|---|
//! | [`certificates`], [`noise`], [`frames`], [`connection`] | from TCP to stanzas |
//! | **state** | |
//! | [`world`], [`shared`] | everything the server knows, behind one lock |
//! | [`accounts`], [`socket`], [`queue`] | who exists, who is connected, what waits |
//! | **subjects** | |
//! | [`registration`], [`pairing_code`], [`passkey`], [`login`] | linking and logging in |
//! | [`routing`], [`groups`] | messages, receipts, groups |
//! | [`iq`], [`prekeys`], [`usync`], [`appstate`], [`settings`] | queries |
//! | [`faults`], [`counters`], [`tap`] | what goes wrong, what is counted, when it passed |
//! | **doors** | |
//! | [`sim`], [`control`] | the library's and the program's |
//! | [`phone`], [`directory`] | the primary devices, and what they may ask |

pub mod accounts;
pub mod appstate;
pub mod certificates;
pub mod connection;
pub mod control;
pub mod counters;
pub mod directory;
pub mod error;
pub mod faults;
pub mod frames;
pub mod groups;
pub mod iq;
pub mod login;
pub mod noise;
pub mod pairing_code;
pub mod passkey;
pub mod phone;
pub mod prekeys;
pub mod queue;
pub mod registration;
pub mod routing;
pub mod settings;
pub mod shared;
pub mod sim;
pub mod socket;
pub mod stanza;
pub mod tap;
pub mod usync;
pub mod world;

pub use error::SimError;
pub use faults::{Fault, Kind};
pub use sim::{Options, Sim, View};

/// Unix time in seconds.
pub(crate) fn unix_now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
