//! What is shown of the account: that it is online, its slots, its phone; and whether this box may
//! be linked to it at all.

use std::sync::{PoisonError, Weak};

use tokio::time::Instant;
use whatsapp_rust::wacore_binary::NodeRef;

use super::{Listener, Signal};
use crate::message::ServerTime;
use crate::session::ending::Ending;
use crate::session::link::{Account, Link};
use crate::session::record;

impl Listener {
    /// Shows the link as online, unless it is already.
    pub fn online(&self) {
        let Some(client) = self.client.get().and_then(Weak::upgrade) else {
            return;
        };
        if self.is_forbidden() {
            return;
        }
        {
            let mut run = self.run();
            if run.online.is_some() {
                return;
            }
            run.online = Some(self.clock.now());
        }
        let digits = |jid: whatsapp_rust::Jid| jid.user_base().to_owned();
        self.link.send_replace(Link::Online(Account {
            number: client.pn().map(digits).unwrap_or_default(),
            lid: client.lid().map(digits),
            name: client.push_name(),
            since: Instant::now(),
            companions: self.acquaintance.companions(),
            phone_unseen: self.acquaintance.unseen(self.clock.now()),
        }));
        self.signal(Signal::Online);
    }

    /// The account has another name now.
    pub(super) fn renamed(&self, name: &str) {
        self.link.send_if_modified(|link| match link {
            Link::Online(account) if account.name != name => {
                name.clone_into(&mut account.name);
                true
            }
            _ => false,
        });
    }

    /// The connection shows a symptom of its end. It may take a while to come down, and the link
    /// must not be called online meanwhile.
    pub fn lost(&self) {
        if !self.verdict.is_symptom() {
            return;
        }
        self.link.send_if_modified(|link| {
            let was_online = matches!(link, Link::Online(_));
            if was_online {
                *link = Link::Connecting {
                    failures: 0,
                    next_try: None,
                };
            }
            was_online
        });
    }

    /// The device is linked to a number that this box must not be linked to.
    pub fn is_forbidden(&self) -> bool {
        let client = self.client.get().and_then(Weak::upgrade);
        let number = client.and_then(|client| client.pn());
        number.is_some_and(|number| self.settings.forbids(number.user_base()))
    }

    /// The service has told how many of the account's slots are taken.
    pub fn counted(&self, companions: u8) {
        self.acquaintance.count(companions, self.clock.now());
        self.account(|account| &mut account.companions, Some(companions));
    }

    /// Warns about a phone that has not been seen for long, or no longer does.
    pub fn judge_phone(&self) {
        let unseen = self.acquaintance.unseen(self.clock.now());
        self.account(|account| &mut account.phone_unseen, unseen);
    }

    /// Changes what is shown of the account, if it is news.
    fn account<T: PartialEq>(&self, of: impl FnOnce(&mut Account) -> &mut T, value: T) {
        self.link.send_if_modified(|link| match link {
            Link::Online(account) => {
                let shown = of(account);
                let is_news = *shown != value;
                *shown = value;
                is_news
            }
            _ => false,
        });
    }

    /// Writes it down, without waiting; the runner of the connection makes it durable.
    pub(super) fn phone_seen(&self, seen: ServerTime) {
        match record::put_phone_seen(&self.store, seen) {
            Ok(()) => self.signal(Signal::PhoneSeen),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "not written down"),
        }
    }

    /// A stanza of a kind that only devices send: if it is from the phone, the phone lives.
    pub(super) fn notice_phone(&self, node: &NodeRef<'_>) {
        let text = |key: &str| node.get_attr(key).map(|value| value.as_str().into_owned());
        let is_phone = {
            let phone = self.phone.lock().unwrap_or_else(PoisonError::into_inner);
            let from = text("participant").or_else(|| text("from"));
            from.is_some_and(|from| phone.contains(&from))
        };
        if is_phone {
            let at = text("t").and_then(|seconds| seconds.parse().ok());
            let news = self
                .acquaintance
                .saw_phone(at.map(ServerTime), self.clock.now());
            if let Some(seen) = news {
                self.phone_seen(seen);
                self.judge_phone();
            }
        }
    }

    /// The service is about to link this device to a number that it must not be linked to: the
    /// connection ends before the protocol crate can agree.
    pub(super) fn refuse_number(&self, node: &NodeRef<'_>) {
        let number = node
            .get_optional_child("pair-success")
            .and_then(|success| success.get_optional_child("device"))
            .and_then(|device| device.get_attr("jid"))
            .and_then(|jid| jid.as_str().parse::<whatsapp_rust::Jid>().ok());
        if number.is_some_and(|number| self.settings.forbids(number.user_base())) {
            tracing::warn!("the number is one of production's and this box is not: not linked");
            self.verdict.pass(Ending::Forbidden);
            self.line.hang_up();
        }
    }
}
