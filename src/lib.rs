//! vinculo keeps one WhatsApp number linked as a companion device, around the clock.
//!
//! One picture:
//!
//! ```text
//! phone ⇄ WhatsApp ⇄ session ──events──▶ dispatch ──▶ inbox (durable) ──▶ bot, web
//!                       ▲                    └──────▶ outbox (acks, receipts)
//!                       └──orders── outbox (durable) ◀── bot, web
//! button ──presses──▶ panel ──orders──▶ session     every state ──watch──▶ panel ──frame──▶ display, web
//! ```
//!
//! Three laws hold everywhere. *State* travels in [`tokio::sync::watch`]: the latest wins and a
//! late subscriber is right at once. *Facts* (messages, receipts) go to a durable log first and
//! are pulled from a cursor of the reader's own. *Orders* travel in a bounded
//! [`tokio::sync::mpsc`] and carry a [`tokio::sync::oneshot`] for the answer.
//!
//! The rooms, from the door inwards: [`cli`] reads the command line, [`appliance`] builds, runs and
//! drains everything, [`config`] reads the TOML. [`session`] owns the link, [`dispatch`] carries
//! what arrives to [`inbox`] and [`outbox`], [`bot`] answers, [`panel`] is the face and [`hardware`]
//! its display and button, [`host`] what the kernel tells about the board, [`web`] looks in.
//! [`history`] remembers what became of the link, [`alerts`]
//! tell the owner. [`store`] makes things durable, [`supervisor`] runs named tasks, [`watchdog`]
//! speaks to the service manager, and [`message`] is the vocabulary.
//!
//! Imports point one way: [`session`] knows nothing of the inbox, the outbox, the panel or the
//! web; only the appliance knows everyone.

pub mod alerts;
pub mod appliance;
pub mod bot;
pub mod cli;
pub mod config;
pub mod dispatch;
pub mod hardware;
pub mod history;
pub mod host;
pub mod inbox;
pub mod message;
pub mod outbox;
pub mod panel;
pub mod session;
pub mod store;
pub mod supervisor;
pub mod toml_reader;
pub mod watchdog;
pub mod web;

mod waiting;
