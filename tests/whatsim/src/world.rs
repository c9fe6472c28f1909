//! Everything the server knows, and the few moves all parts share: finding devices, delivering
//! stanzas, letting phones react. Subjects have their own files, each an `impl World`. It is plain
//! state behind one lock: nothing here waits.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, Server};

use crate::accounts::{Account, Companion, DeviceId, lid_for};
use crate::counters::Counters;
use crate::directory::{Directory, KeyBundle};
use crate::error::SimError;
use crate::faults::Faults;
use crate::groups::Group;
use crate::pairing_code::PairingCode;
use crate::passkey::Demand;
use crate::queue::Queue;
use crate::registration::Ref;
use crate::socket::{Next, Out, Socket, SocketId};
use crate::stanza::{self, attr};
use crate::tap::Tap;

/// The server's state.
pub struct World {
    pub(crate) accounts: Vec<Account>,
    pub(crate) sockets: BTreeMap<SocketId, Socket>,
    pub(crate) refs: HashMap<String, Ref>,
    pub(crate) pairing_codes: HashMap<usize, PairingCode>,
    pub(crate) passkeys: HashMap<SocketId, Demand>,
    /// Devices by the connection they were linked on, which may be gone before anyone asks.
    pub(crate) linked_on: HashMap<SocketId, u16>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) counters: Counters,
    pub(crate) faults: Faults,
    pub(crate) tap: Tap,
    /// Stanzas that wait for a phone in this process.
    phone_inbox: VecDeque<(usize, Node)>,
    next_socket: SocketId,
    next_id: u64,
    time_scale: f64,
    /// The time to give out in place of the real one, while an old message is being made.
    pub(crate) dated: Option<u64>,
}

impl World {
    /// An empty world whose durations are divided by `time_scale`.
    pub fn new(time_scale: f64) -> Self {
        Self {
            accounts: Vec::new(),
            sockets: BTreeMap::new(),
            refs: HashMap::new(),
            pairing_codes: HashMap::new(),
            passkeys: HashMap::new(),
            linked_on: HashMap::new(),
            groups: BTreeMap::new(),
            counters: Counters::default(),
            faults: Faults::default(),
            tap: Tap::default(),
            phone_inbox: VecDeque::new(),
            next_socket: 1,
            next_id: 1,
            time_scale,
            dated: None,
        }
    }

    /// A duration of the real service, in this world's time.
    pub(crate) fn scaled(&self, real: Duration) -> Duration {
        real.div_f64(self.time_scale)
    }

    /// How much service time a stretch of this world's time stands for.
    pub(crate) fn unscaled(&self, here: Duration) -> Duration {
        here.mul_f64(self.time_scale)
    }

    /// An id for a stanza the server starts.
    pub(crate) fn fresh_id(&mut self) -> String {
        self.next_id += 1;
        format!("{}-{}", self.now(), self.next_id)
    }

    // Accounts and devices.

    /// Adds an account with its phone; answers its LID.
    ///
    /// # Errors
    /// If the number is not digits or has an account already.
    pub fn add_phone(
        &mut self,
        number: &str,
        name: &str,
        multidevice: bool,
    ) -> Result<Jid, SimError> {
        if number.len() < 5 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SimError::BadNumber);
        }
        if self.account(number).is_ok() {
            return Err(SimError::NumberTaken);
        }
        let account = Account::new(number, &lid_for(number), name, multidevice);
        let lid = account.jid(Server::Lid, 0);
        self.accounts.push(account);
        Ok(lid)
    }

    /// The account of a number.
    pub(crate) fn account(&self, number: &str) -> Result<usize, SimError> {
        let number = number.trim_start_matches('+');
        self.accounts
            .iter()
            .position(|account| account.number == number)
            .ok_or(SimError::NoSuchPhone)
    }

    /// The account behind an address in either space.
    pub(crate) fn account_of(&self, jid: &Jid) -> Option<usize> {
        let user = jid.user_base();
        self.accounts.iter().position(|account| {
            (jid.server.is_lid_family() && account.lid == user)
                || (jid.server.is_pn_family() && account.number == user)
        })
    }

    /// The existing device behind an address.
    pub(crate) fn device_of(&self, jid: &Jid) -> Option<DeviceId> {
        let account = self.account_of(jid)?;
        let device = jid.device;
        (device == 0 || self.accounts[account].companions.contains_key(&device))
            .then_some(DeviceId { account, device })
    }

    /// A device's address in the given space.
    pub(crate) fn jid_of(&self, id: DeviceId, server: Server) -> Jid {
        self.accounts[id.account].jid(server, id.device)
    }

    pub(crate) fn companion(&mut self, id: DeviceId) -> Option<&mut Companion> {
        self.accounts
            .get_mut(id.account)?
            .companions
            .get_mut(&id.device)
    }

    /// The devices of an account but one.
    pub(crate) fn siblings(&self, of: DeviceId) -> Vec<DeviceId> {
        self.accounts[of.account]
            .devices()
            .into_iter()
            .filter(|device| *device != of.device)
            .map(|device| DeviceId {
                account: of.account,
                device,
            })
            .collect()
    }

    // Sending.

    /// Writes a stanza to a connection, whoever is behind it, after any fault had its say.
    pub(crate) fn write(&mut self, socket: SocketId, stanza: Node) {
        self.write_at(socket, stanza, None);
    }

    /// The same, not before a time.
    pub(crate) fn write_at(&mut self, socket: SocketId, stanza: Node, not_before: Option<Instant>) {
        let who = self.who_on(socket);
        let due = self
            .faults
            .delay(
                who.as_ref()
                    .map(|(number, device)| (number.as_str(), *device)),
            )
            .map(|wait| Instant::now() + wait)
            .max(not_before);
        if let Some(socket) = self.sockets.get_mut(&socket) {
            socket.put(Out::Stanza(stanza), due);
        }
    }

    /// The number whose device is on a connection, and which of its devices.
    pub(crate) fn who_on(&self, socket: SocketId) -> Option<(String, u16)> {
        let device = self.sockets.get(&socket)?.device?;
        Some((self.accounts[device.account].number.clone(), device.device))
    }

    /// Hands a stanza to a device: at once to a phone, through its queue to a companion. What needs
    /// no acknowledgement is lost on a companion that is not connected, as on the service.
    pub(crate) fn deliver(&mut self, to: DeviceId, stanza: Node) {
        if to.device == 0 {
            self.phone_inbox.push_back((to.account, stanza));
            return;
        }
        let keeps = Queue::keeps(&stanza);
        let Some(companion) = self.companion(to) else {
            return;
        };
        if keeps {
            companion.queue.push(stanza);
            self.flush(to);
        } else if let Some(socket) = companion.socket {
            self.write(socket, stanza);
        }
    }

    /// Sends a companion what its queue has due.
    pub(crate) fn flush(&mut self, to: DeviceId) {
        let Some(companion) = self.companion(to) else {
            return;
        };
        let Some(socket) = companion.socket else {
            return;
        };
        loop {
            let Some(companion) = self.companion(to) else {
                return;
            };
            let due = companion.queue.due();
            for stanza in due.stanzas {
                self.write_queued(socket, stanza);
            }
            let Some(total) = due.backlog_ended else {
                return;
            };
            let end = NodeBuilder::new("offline").attr("count", total).build();
            self.write(socket, stanza::ib(end));
            // What came in while the backlog was on its way follows it.
        }
    }

    // Phones.

    /// Lets the phones work until none has anything left to do.
    pub fn settle(&mut self) {
        while let Some((account, stanza)) = self.phone_inbox.pop_front() {
            let Some(mut phone) = self.accounts[account].phone.take() else {
                continue;
            };
            let replies = phone.receive(&stanza, self);
            self.accounts[account].phone = Some(phone);
            self.phone_sends(account, replies);
        }
    }

    /// Routes what a phone wants sent.
    pub(crate) fn phone_sends(&mut self, account: usize, stanzas: Vec<Node>) {
        for stanza in stanzas {
            self.route(DeviceId { account, device: 0 }, &stanza);
        }
    }

    /// Works with a phone while it may ask the world.
    pub(crate) fn with_phone<T>(
        &mut self,
        account: usize,
        work: impl FnOnce(&mut crate::phone::Phone, &mut Self) -> T,
    ) -> Result<T, SimError> {
        let mut phone = self.accounts[account].phone.take().ok_or(SimError::Busy)?;
        let result = work(&mut phone, self);
        self.accounts[account].phone = Some(phone);
        Ok(result)
    }

    // Connections.

    /// A client finished its handshake.
    pub(crate) fn open(
        &mut self,
        client_static: [u8; 32],
    ) -> (SocketId, std::sync::Arc<tokio::sync::Notify>) {
        let id = self.next_socket;
        self.next_socket += 1;
        let socket = Socket::new(client_static);
        let wake = socket.wake();
        self.sockets.insert(id, socket);
        self.counters.sockets += 1;
        (id, wake)
    }

    /// A connection is gone.
    pub(crate) fn gone(&mut self, id: SocketId) {
        self.end_presence(id);
        let Some(socket) = self.sockets.remove(&id) else {
            return;
        };
        self.refs.retain(|_, reference| reference.socket != id);
        self.pairing_codes.retain(|_, code| code.socket != id);
        self.passkeys.remove(&id);
        if let Some(device) = socket.device {
            let mine = self
                .companion(device)
                .filter(|companion| companion.socket == Some(id));
            if let Some(companion) = mine {
                companion.socket = None;
                companion.queue.hold();
            }
        }
    }

    /// What a connection's task is to do next.
    pub(crate) fn next_out(&mut self, id: SocketId) -> Next {
        self.sockets
            .get_mut(&id)
            .map_or(Next::Do(Out::Drop), |socket| socket.take(Instant::now()))
    }

    /// A stanza came in on a connection.
    pub(crate) fn heard(&mut self, id: SocketId, stanza: &Node) {
        let Some(socket) = self.sockets.get(&id) else {
            return;
        };
        if socket.stalled || socket.ending() {
            return;
        }
        self.counters.stanza(&stanza.tag);
        match socket.device {
            Some(device) => self.route(device, stanza),
            None => self.heard_unlinked(id, stanza),
        }
    }

    /// Ends a connection with a last stanza.
    pub(crate) fn end_with(&mut self, id: SocketId, stanza: Node, due: Option<Instant>) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.put(Out::Stanza(stanza), due);
            socket.put(Out::Close, due);
        }
    }

    /// Counts a stanza the server has no true answer for.
    pub(crate) fn unknown(&mut self, stanza: &Node) {
        let name = match attr(stanza, "xmlns") {
            Some(space) if stanza.tag == "iq" => match stanza::first(stanza) {
                Some(child) => format!("iq:{space}:{}", child.tag),
                None => format!("iq:{space}"),
            },
            _ => match attr(stanza, "type") {
                Some(kind) => format!("{}:{kind}", stanza.tag),
                None => stanza.tag.to_string(),
            },
        };
        tracing::debug!(name, "a stanza the server does not know");
        self.counters.unknown(name);
    }
}

impl Directory for World {
    fn devices(&self, user: &Jid) -> Vec<Jid> {
        let Some(account) = self.account_of(user) else {
            return Vec::new();
        };
        let account = &self.accounts[account];
        account
            .devices()
            .into_iter()
            .map(|device| account.jid(user.server, device))
            .collect()
    }

    fn take_bundle(&mut self, device: &Jid) -> Option<KeyBundle> {
        let id = self.device_of(device)?;
        if id.device == 0 {
            return self.accounts[id.account]
                .phone
                .as_mut()
                .map(crate::phone::Phone::bundle);
        }
        self.take_companion_bundle(id)
    }

    fn lid_of(&self, pn: &Jid) -> Option<Jid> {
        let account = self.account_of(pn).filter(|_| pn.server.is_pn_family())?;
        Some(self.accounts[account].jid(Server::Lid, 0))
    }

    fn pn_of(&self, lid: &Jid) -> Option<Jid> {
        let account = self
            .account_of(lid)
            .filter(|_| lid.server.is_lid_family())?;
        Some(self.accounts[account].jid(Server::Pn, 0))
    }

    fn group_members(&self, group: &Jid) -> Vec<Jid> {
        let Some(found) = self.groups.get(group.user.as_str()) else {
            return Vec::new();
        };
        found
            .members
            .keys()
            .map(|account| self.accounts[*account].jid(Server::Lid, 0))
            .collect()
    }

    fn now(&self) -> u64 {
        self.dated.unwrap_or_else(crate::unix_now)
    }
}
