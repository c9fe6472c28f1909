//! Linking a new device: refs, the scan, `pair-success`, the countersignature, the 515 that follows.
//! It must never link a device that the phone did not endorse or that did not countersign.

use std::time::Duration;

use buffa::Message as _;
use tokio::time::Instant;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, SERVER_JID, Server};
use waproto::whatsapp::{ClientPayload, DeviceProps};

use crate::accounts::{Companion, DeviceId, MAX_COMPANIONS};
use crate::directory::Directory as _;
use crate::error::{SimError, refusal};
use crate::phone::ScannedQr;
use crate::prekeys::Keys;
use crate::queue::Queue;
use crate::socket::{Out, Pending, Registration, SocketId};
use crate::stanza::{self, attr, child_bytes, empty, is};
use crate::world::World;

/// How many refs a client is given at a time.
const REFS: u32 = 6;
/// How long the first ref lives, and by how much each further one outlives it.
const FIRST_REF: Duration = Duration::from_secs(60);
const FURTHER_REF: Duration = Duration::from_secs(20);

/// A ref on offer.
pub struct Ref {
    /// The connection it was handed out on.
    pub socket: SocketId,
    /// When it lapses.
    pub expires: Instant,
}

impl World {
    /// A client that is not linked has connected: it is given refs.
    pub(crate) fn admit_unlinked(&mut self, id: SocketId, payload: &ClientPayload) {
        let data = payload.device_pairing_data.as_option();
        let keys = data.and_then(|data| {
            Keys::registered(
                data.e_regid.as_deref()?,
                data.e_ident.as_deref()?,
                data.e_skey_id.as_deref()?,
                data.e_skey_val.as_deref()?,
                data.e_skey_sig.as_deref()?,
            )
        });
        let (Some(data), Some(keys)) = (data, keys) else {
            // Not a registration and not a login: the service calls that a bad request.
            return self.fail(id, 400, None);
        };
        let platform = data
            .device_props
            .as_deref()
            .and_then(|props| DeviceProps::decode_from_slice(props).ok())
            .map_or_else(String::new, |props| {
                let kind = props
                    .platform_type
                    .map_or_else(|| "UNKNOWN".into(), |kind| format!("{kind:?}"));
                format!("{kind} ({})", props.os.unwrap_or_default())
            });
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.registration = Some(Registration {
                keys,
                platform,
                ..Registration::default()
            });
        }
        self.offer_refs(id);
    }

    fn offer_refs(&mut self, id: SocketId) {
        let (first, further) = (self.scaled(FIRST_REF), self.scaled(FURTHER_REF));
        let now = Instant::now();
        let mut refs = Vec::new();
        for n in 0..REFS {
            let text = format!("2@{}", random_text(72));
            refs.push(stanza::leaf("ref", text.as_bytes()));
            let expires = now + first + further * n;
            self.refs.insert(
                text,
                Ref {
                    socket: id,
                    expires,
                },
            );
        }
        self.counters.refs += u64::from(REFS);
        let pair = NodeBuilder::new("pair-device").children(refs).build();
        let iq = self.set_iq(pair);
        self.write(id, iq);
    }

    /// An iq that the server starts.
    fn set_iq(&mut self, child: Node) -> Node {
        NodeBuilder::new("iq")
            .attr("from", SERVER_JID)
            .attr("type", "set")
            .attr("id", self.fresh_id())
            .attr("xmlns", "md")
            .attr("t", self.now())
            .children([child])
            .build()
    }

    /// A phone scans a QR: the client behind it is sent `pair-success`, or asked for a passkey where
    /// the account wants one. Answers the connection that is being linked.
    ///
    /// # Errors
    /// `bad_qr`, `expired_ref`, `no_free_slot`, `not_multidevice`, `no_such_phone`.
    pub fn scan(&mut self, number: &str, qr: &str) -> Result<SocketId, SimError> {
        let account = self.account(number)?;
        let qr = ScannedQr::parse(qr).map_err(|error| SimError::BadQr(error.to_string()))?;
        let reference = self.refs.get(&qr.reference).ok_or(SimError::ExpiredRef)?;
        let socket = reference.socket;
        if reference.expires <= Instant::now() {
            self.refs.remove(&qr.reference);
            return Err(SimError::ExpiredRef);
        }
        if self.sockets.get(&socket).map(|socket| socket.client_static) != Some(qr.noise) {
            return Err(SimError::BadQr("its Noise key is another client's".into()));
        }
        if !self.accounts[account].multidevice {
            self.write(socket, stanza::ib(empty("downgrade_webclient")));
            return Err(SimError::NotMultidevice);
        }
        if self.accounts[account].passkey.is_some() {
            self.demand_passkey(socket, account);
            return Ok(socket);
        }
        let device = self.reserve(account)?;
        let endorsement =
            self.with_phone(account, |phone, _| phone.endorse_qr(&qr, device.device))?;
        let endorsement = endorsement.map_err(refusal)?;
        self.succeed(
            socket,
            device,
            endorsement.key_index,
            &endorsement.device_identity,
            None,
        );
        Ok(socket)
    }

    /// A number for a new device of an account that has a slot free.
    pub(crate) fn reserve(&mut self, account: usize) -> Result<DeviceId, SimError> {
        let account_state = &mut self.accounts[account];
        if account_state.companions.len() >= MAX_COMPANIONS {
            return Err(SimError::NoFreeSlot);
        }
        let device = account_state.next_device;
        account_state.next_device += 1;
        Ok(DeviceId { account, device })
    }

    /// Sends a client the phone's endorsement, not before a time.
    pub(crate) fn succeed(
        &mut self,
        socket: SocketId,
        device: DeviceId,
        key_index: u32,
        identity: &[u8],
        not_before: Option<Instant>,
    ) {
        let success = NodeBuilder::new("pair-success")
            .children([
                stanza::leaf("device-identity", identity),
                NodeBuilder::new("platform").attr("name", "android").build(),
                NodeBuilder::new("device")
                    .attr("jid", self.jid_of(device, Server::Pn))
                    .attr("lid", self.jid_of(device, Server::Lid))
                    .build(),
            ])
            .build();
        let iq = self.set_iq(success);
        let pending = Pending {
            device,
            key_index,
            iq: attr(&iq, "id").unwrap_or_default(),
        };
        if let Some(registration) = self.registration(socket) {
            registration.pending = Some(pending);
        }
        self.refs.retain(|_, reference| reference.socket != socket);
        self.write_at(socket, iq, not_before);
    }

    pub(crate) fn registration(&mut self, socket: SocketId) -> Option<&mut Registration> {
        self.sockets.get_mut(&socket)?.registration.as_mut()
    }

    /// A stanza of a client that is not logged in.
    pub(crate) fn heard_unlinked(&mut self, id: SocketId, stanza: &Node) {
        match &*stanza.tag {
            "iq" if is(stanza, "type", "result") => self.answered(id, stanza),
            "iq" if is(stanza, "type", "error") => {
                // The companion refused `pair-success`; it will say so in its own log.
                if let Some(registration) = self.registration(id) {
                    registration.refused = registration.pending.take().is_some();
                }
            }
            "iq" => {
                let iq = attr(stanza, "id").unwrap_or_default();
                match attr(stanza, "xmlns").as_deref() {
                    Some("w:p") => self.write(id, stanza::result(&iq, Vec::new())),
                    Some("md")
                        if stanza
                            .get_optional_child("link_code_companion_reg")
                            .is_some() =>
                    {
                        self.link_code(id, &iq, stanza);
                    }
                    Some("md") if self.passkey_query(id, &iq, stanza) => {}
                    _ => {
                        self.unknown(stanza);
                        let refusal = stanza::error(&iq, 501, "feature-not-implemented");
                        self.write(id, refusal);
                    }
                }
            }
            // Telemetry about the session, a name before there is an account, acknowledgements of
            // what the server sent: none has an answer.
            "ib" if stanza.get_optional_child("unified_session").is_some() => {}
            "ack" | "presence" => {}
            _ => self.unknown(stanza),
        }
    }

    /// An answer to an iq of the server: of interest only if it is the countersignature.
    fn answered(&mut self, id: SocketId, stanza: &Node) {
        let Some(signed) = stanza
            .get_optional_child("pair-device-sign")
            .and_then(|sign| child_bytes(sign, "device-identity"))
        else {
            return;
        };
        let Some(pending) = self
            .registration(id)
            .and_then(|registration| registration.pending.take())
            .filter(|pending| is(stanza, "id", &pending.iq))
        else {
            return;
        };
        let account = pending.device.account;
        let verdict = self.with_phone(account, |phone, _| phone.countersigned(signed));
        if !matches!(verdict, Ok(Ok(_))) {
            if let Some(registration) = self.registration(id) {
                registration.refused = true;
            }
            return self.fail(id, 401, None);
        }
        self.link(id, &pending, signed);
    }

    /// Makes the client a device of the account and asks it to come back as such.
    fn link(&mut self, id: SocketId, pending: &Pending, signed: &[u8]) {
        let Some(socket) = self.sockets.get_mut(&id) else {
            return;
        };
        let noise_static = socket.client_static;
        let Some(registration) = socket.registration.as_mut() else {
            return;
        };
        self.linked_on.insert(id, pending.device.device);
        let companion = Companion {
            noise_static,
            platform: registration.platform.clone(),
            key_index: pending.key_index,
            device_identity: signed.to_vec(),
            keys: registration.keys.clone(),
            socket: None,
            queue: Queue::default(),
        };
        let DeviceId { account, device } = pending.device;
        self.accounts[account].companions.insert(device, companion);
        self.tell_device_change(account, "add", device);
        let restart = NodeBuilder::new("stream:error").attr("code", "515").build();
        self.end_with(id, restart, None);

        let jid = self.jid_of(pending.device, Server::Pn);
        let sent = self.with_phone(account, |phone, world| phone.on_linked(&jid, world));
        self.store_phone_appstate(account);
        self.phone_sends(account, sent.unwrap_or_default());
    }

    /// Removes a linked device, as its phone or the device itself asked.
    ///
    /// # Errors
    /// If there is no such device.
    pub fn remove_device(&mut self, number: &str, device: u16) -> Result<(), SimError> {
        let account = self.account(number)?;
        let companion = self.accounts[account]
            .companions
            .remove(&device)
            .ok_or(SimError::NoSuchDevice)?;
        if let Some(socket) = companion.socket {
            self.end_presence(socket);
            let conflict = NodeBuilder::new("conflict")
                .attr("type", "device_removed")
                .build();
            let error = NodeBuilder::new("stream:error")
                .attr("code", "401")
                .children([conflict])
                .build();
            self.end_with(socket, error, None);
        }
        let jid = self.accounts[account].jid(Server::Pn, device);
        self.with_phone(account, |phone, _| phone.remove_device(&jid))?;
        self.tell_device_change(account, "remove", device);
        Ok(())
    }

    /// Tells an account's other devices that its device list changed.
    fn tell_device_change(&mut self, account: usize, change: &'static str, device: u16) {
        let now = self.now();
        let (pn, lid) = {
            let account = &self.accounts[account];
            (
                account.jid(Server::Pn, device),
                account.jid(Server::Lid, device),
            )
        };
        let key_index = self.accounts[account]
            .companions
            .get(&device)
            .map_or(0, |companion| companion.key_index);
        let list = self
            .with_phone(account, |phone, _| phone.key_index_list())
            .unwrap_or_default();
        let from = DeviceId { account, device };
        for sibling in self.siblings(from) {
            if sibling.device == 0 {
                continue;
            }
            let key_index_list = if change == "add" {
                NodeBuilder::new("key-index-list")
                    .attr("ts", now)
                    .bytes(list.clone())
                    .build()
            } else {
                NodeBuilder::new("key-index-list").attr("ts", now).build()
            };
            let change = NodeBuilder::new(change)
                .children([
                    NodeBuilder::new("device")
                        .attr("jid", pn.clone())
                        .attr("lid", lid.clone())
                        .attr("key-index", key_index)
                        .build(),
                    key_index_list,
                ])
                .build();
            let notification = NodeBuilder::new("notification")
                .attr("from", pn.to_non_ad())
                .attr("lid", lid.to_non_ad())
                .attr("type", "devices")
                .attr("id", self.fresh_id())
                .attr("t", now)
                .children([change])
                .build();
            self.deliver(sibling, notification);
        }
    }

    /// Refuses a client before it is logged in.
    pub(crate) fn fail(&mut self, id: SocketId, reason: u16, expire: Option<u64>) {
        let mut failure = NodeBuilder::new("failure")
            .attr("reason", reason)
            .attr("location", "sim");
        if let Some(expire) = expire {
            failure = failure.attr("code", "101").attr("expire", expire);
        }
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.put(Out::Stanza(failure.build()), None);
            socket.put(Out::Close, None);
        }
    }
}

/// Random text in the alphabet of refs.
pub(crate) fn random_text(length: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..length)
        .map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]))
        .collect()
}
