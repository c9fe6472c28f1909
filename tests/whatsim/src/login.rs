//! Logging in: who a connection belongs to, what the service says first, what happens to an older
//! connection with the same keys, and presence, which begins and ends with a connection.

use std::time::Duration;

use tokio::time::Instant;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, Server};
use waproto::whatsapp::ClientPayload;

use crate::accounts::DeviceId;
use crate::directory::Directory as _;
use crate::faults::LoginVerdict;
use crate::socket::SocketId;
use crate::stanza::{self, attr, jid};
use crate::world::World;

/// A presence that stands no longer than this is not counted.
const PRESENCE_GRACE: Duration = Duration::from_secs(1);
/// Opaque to clients: they hand it back in front of their next handshake.
const ROUTING_INFO: &[u8] = b"\x08\x02\x08\x05";

impl World {
    /// A client said who it is.
    pub(crate) fn admit(&mut self, id: SocketId, payload: &ClientPayload) {
        match payload.username {
            None => {
                if let LoginVerdict::Refuse { reason, expire } = self.faults.registration() {
                    return self.fail(id, reason, expire);
                }
                self.admit_unlinked(id, payload);
            }
            Some(number) => self.login(id, number, payload.device.unwrap_or(0)),
        }
    }

    fn login(&mut self, id: SocketId, number: u64, device: u32) {
        let number = number.to_string();
        let now = self.now();
        let named = u16::try_from(device).unwrap_or(u16::MAX);
        if let LoginVerdict::Refuse { reason, expire } = self.faults.login((&number, named), now) {
            return self.fail(id, reason, expire);
        }
        let client_static = self.sockets.get(&id).map(|socket| socket.client_static);
        let known = self.account(&number).ok().and_then(|account| {
            let device = u16::try_from(device).ok()?;
            let companion = self.accounts[account].companions.get(&device)?;
            (Some(companion.noise_static) == client_static)
                .then_some((DeviceId { account, device }, companion.socket))
        });
        let Some((device, older)) = known else {
            return self.fail(id, 401, None);
        };
        if let Some(older) = older {
            self.replace(older);
        }
        if let Some(companion) = self.companion(device) {
            companion.queue.hold();
            companion.socket = Some(id);
        }
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.device = Some(device);
        }
        self.counters.logins += 1;
        let success = NodeBuilder::new("success")
            .attr("t", now)
            .attr("creation", now)
            .attr("location", "sim")
            .attr("lid", self.jid_of(device, Server::Lid))
            .attr("display_name", self.accounts[device.account].name.as_str())
            .build();
        self.write(id, success);
        let routing = NodeBuilder::new("edge_routing")
            .children([stanza::leaf("routing_info", ROUTING_INFO)])
            .build();
        self.write(id, stanza::ib(routing));
        self.strike_after_login(&number, named);
    }

    /// Throws an older connection out because another one took its keys.
    pub(crate) fn replace(&mut self, older: SocketId) {
        self.counters.replaced += 1;
        self.end_presence(older);
        if let Some(socket) = self.sockets.get_mut(&older) {
            // What it was owed goes to its successor.
            socket.device = None;
        }
        self.end_with(older, conflict("replaced"), None);
    }

    /// The device says that it wants what waits for it.
    pub(crate) fn activate(&mut self, device: DeviceId) {
        let Some(companion) = self.companion(device) else {
            return;
        };
        let (Some(preview), Some(socket)) = (companion.queue.activate(), companion.socket) else {
            return;
        };
        let preview = NodeBuilder::new("offline_preview")
            .attr("count", preview.total())
            .attr("message", preview.messages)
            .attr("receipt", preview.receipts)
            .attr("notification", preview.notifications)
            .attr("call", preview.calls)
            .attr("appdata", 0)
            .build();
        self.write(socket, stanza::ib(preview));
        self.flush(device);
    }

    /// Presence of a device changed.
    pub(crate) fn presence(&mut self, from: DeviceId, stanza: &Node) {
        let socket = self.companion(from).and_then(|companion| companion.socket);
        match attr(stanza, "type").as_deref() {
            // Without a type it carries a name and says nothing of being there.
            None => {}
            Some("available") => self.available(from, socket, true),
            Some("unavailable") => self.available(from, socket, false),
            Some("subscribe") => {
                let (Some(who), Some(socket)) = (jid(stanza, "to"), socket) else {
                    return;
                };
                if let Some(state) = self.sockets.get_mut(&socket) {
                    state.watching.push(who.to_non_ad());
                }
                let online = self
                    .account_of(&who)
                    .is_some_and(|account| self.is_available(account));
                self.write(socket, presence_of(&who, online));
            }
            Some("unsubscribe") => {
                let who = jid(stanza, "to");
                let state = socket.and_then(|socket| self.sockets.get_mut(&socket));
                if let (Some(who), Some(state)) = (who, state) {
                    state
                        .watching
                        .retain(|watched| !watched.is_same_chat_as(&who));
                }
            }
            Some(_) => self.unknown(stanza),
        }
    }

    fn available(&mut self, from: DeviceId, socket: Option<SocketId>, now_available: bool) {
        let Some(socket) = socket else { return };
        if now_available {
            if let Some(state) = self.sockets.get_mut(&socket) {
                state.available_since.get_or_insert_with(Instant::now);
            }
        } else {
            self.end_presence(socket);
        }
        self.tell_watchers(from.account, now_available);
    }

    fn is_available(&self, account: usize) -> bool {
        self.sockets.values().any(|socket| {
            socket.available_since.is_some()
                && socket
                    .device
                    .is_some_and(|device| device.account == account)
        })
    }

    fn tell_watchers(&mut self, account: usize, online: bool) {
        let told: Vec<_> = self
            .sockets
            .iter()
            .filter(|(_, socket)| {
                socket
                    .device
                    .is_some_and(|device| device.account != account)
            })
            .flat_map(|(id, socket)| socket.watching.iter().map(move |who| (*id, who.clone())))
            .collect();
        for (socket, who) in told {
            if self.account_of(&who) == Some(account) {
                self.write(socket, presence_of(&who, online));
            }
        }
    }

    /// A connection's presence ended; it is counted if it stood long enough.
    pub(crate) fn end_presence(&mut self, id: SocketId) {
        let since = self
            .sockets
            .get_mut(&id)
            .and_then(|socket| socket.available_since.take());
        if let Some(stood) = since.and_then(|since| self.stood(since)) {
            self.counters.available += stood;
        }
    }

    fn stood(&self, since: Instant) -> Option<Duration> {
        Some(self.unscaled(since.elapsed())).filter(|stood| *stood > PRESENCE_GRACE)
    }

    /// How long presences have been standing that have not ended.
    pub(crate) fn standing(&self) -> Duration {
        self.sockets
            .values()
            .filter_map(|socket| self.stood(socket.available_since?))
            .sum()
    }
}

/// The end of a connection because of another device or another server.
pub(crate) fn conflict(kind: &'static str) -> Node {
    NodeBuilder::new("stream:error")
        .children([NodeBuilder::new("conflict").attr("type", kind).build()])
        .build()
}

fn presence_of(who: &wacore_binary::Jid, online: bool) -> Node {
    let presence = NodeBuilder::new("presence").attr("from", who.to_non_ad());
    if online {
        presence.build()
    } else {
        presence.attr("type", "unavailable").build()
    }
}
