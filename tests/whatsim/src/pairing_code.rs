//! Linking by pairing code: the server carries three messages between a client and a phone and sees
//! only wrapped keys. What it sends at the end is the same `pair-success` as for a QR.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, SERVER_JID};

use crate::accounts::DeviceId;
use crate::directory::Directory as _;
use crate::error::{SimError, refusal};
use crate::registration::random_text;
use crate::socket::SocketId;
use crate::stanza::{self, attr, child_bytes, jid, leaf};
use crate::world::World;

/// A client that asked to be linked to a number by code.
pub struct PairingCode {
    /// Its connection.
    pub socket: SocketId,
    reference: Vec<u8>,
    wrapped_ephemeral: Vec<u8>,
    /// The phone's user typed a code.
    entered: bool,
    /// Why the phone did not accept what came back.
    failed: Option<SimError>,
    /// The phone endorsed the client: device, key index, signed identity.
    endorsed: Option<Endorsed>,
}

type Endorsed = (DeviceId, u32, Vec<u8>);

impl World {
    /// The client's side: `companion_hello` and `companion_finish`.
    pub(crate) fn link_code(&mut self, id: SocketId, iq: &str, stanza: &Node) {
        let reply = self.link_code_stage(id, iq, stanza);
        self.write(id, reply);
        // The client expects its answer before the success that follows from it.
        let finished = self
            .pairing_codes
            .iter_mut()
            .find_map(|(account, code)| Some((*account, code.endorsed.take()?)));
        if let Some((account, (device, key_index, identity))) = finished {
            self.pairing_codes.remove(&account);
            self.succeed(id, device, key_index, &identity, None);
        }
    }

    fn link_code_stage(&mut self, id: SocketId, iq: &str, stanza: &Node) -> Node {
        let Some(reg) = stanza.get_optional_child("link_code_companion_reg") else {
            return stanza::error(iq, 400, "bad-request");
        };
        match attr(reg, "stage").as_deref() {
            Some("companion_hello") => self.companion_hello(id, iq, reg),
            Some("companion_finish") => self.companion_finish(id, iq, reg),
            Some(_) | None => {
                self.unknown(stanza);
                stanza::error(iq, 501, "feature-not-implemented")
            }
        }
    }

    fn companion_hello(&mut self, id: SocketId, iq: &str, reg: &Node) -> Node {
        let account = jid(reg, "jid").and_then(|jid| self.account_of(&jid));
        let wrapped = child_bytes(reg, "link_code_pairing_wrapped_companion_ephemeral_pub");
        let platform = child_bytes(reg, "companion_platform_display").unwrap_or_default();
        let (Some(account), Some(wrapped)) = (account, wrapped) else {
            return stanza::error(iq, 400, "bad-request");
        };
        // The phone shows this name; one it cannot show is refused.
        if platform.is_empty() {
            return stanza::error(iq, 400, "bad-request");
        }
        let reference = random_text(24).into_bytes();
        let pairing = PairingCode {
            socket: id,
            reference: reference.clone(),
            wrapped_ephemeral: wrapped.to_vec(),
            entered: false,
            failed: None,
            endorsed: None,
        };
        self.pairing_codes.insert(account, pairing);
        let answer = NodeBuilder::new("link_code_companion_reg")
            .attr("stage", "companion_hello")
            .children([leaf("link_code_pairing_ref", reference)])
            .build();
        stanza::result(iq, vec![answer])
    }

    /// A person types a code into the phone. Answers the connection that is being linked.
    ///
    /// # Errors
    /// If no client asked for this number, or the phone cannot link devices.
    pub fn enter_code(&mut self, number: &str, code: &str) -> Result<SocketId, SimError> {
        let account = self.account(number)?;
        let pairing = self
            .pairing_codes
            .get(&account)
            .ok_or_else(|| SimError::BadCode("no client asked for one".into()))?;
        let (socket, wrapped) = (pairing.socket, pairing.wrapped_ephemeral.clone());
        let reference = pairing.reference.clone();
        if self.accounts[account].companions.len() >= crate::accounts::MAX_COMPANIONS {
            return Err(SimError::NoFreeSlot);
        }
        let hello = self
            .with_phone(account, |phone, _| phone.enter_code(code, &wrapped))?
            .map_err(refusal)?;
        let reg = NodeBuilder::new("link_code_companion_reg")
            .attr("stage", "primary_hello")
            .children([
                leaf(
                    "link_code_pairing_wrapped_primary_ephemeral_pub",
                    hello.wrapped_ephemeral,
                ),
                leaf("primary_identity_pub", hello.identity),
                leaf("link_code_pairing_ref", reference),
            ])
            .build();
        let notification = NodeBuilder::new("notification")
            .attr("from", SERVER_JID)
            .attr("type", "link_code_companion_reg")
            .attr("id", self.fresh_id())
            .attr("t", self.now())
            .children([reg])
            .build();
        self.write(socket, notification);
        if let Some(pairing) = self.pairing_codes.get_mut(&account) {
            pairing.entered = true;
            pairing.failed = None;
        }
        Ok(socket)
    }

    fn companion_finish(&mut self, id: SocketId, iq: &str, reg: &Node) -> Node {
        let account = jid(reg, "jid").and_then(|jid| self.account_of(&jid));
        let bundle = child_bytes(reg, "link_code_pairing_wrapped_key_bundle");
        let identity = child_bytes(reg, "companion_identity_public")
            .and_then(|identity| <[u8; 32]>::try_from(identity).ok());
        let reference = child_bytes(reg, "link_code_pairing_ref");
        let (Some(account), Some(bundle), Some(identity), Some(reference)) =
            (account, bundle, identity, reference)
        else {
            return stanza::error(iq, 400, "bad-request");
        };
        let mine = self.pairing_codes.get(&account).is_some_and(|pairing| {
            pairing.socket == id && pairing.entered && pairing.reference == reference
        });
        if !mine {
            return stanza::error(iq, 404, "item-not-found");
        }
        match self.finish_code(account, bundle, identity) {
            Ok(endorsed) => {
                if let Some(pairing) = self.pairing_codes.get_mut(&account) {
                    pairing.endorsed = Some(endorsed);
                }
                stanza::result(iq, Vec::new())
            }
            Err(error) => {
                if let Some(pairing) = self.pairing_codes.get_mut(&account) {
                    pairing.failed = Some(error);
                }
                stanza::error(iq, 400, "bad-request")
            }
        }
    }

    fn finish_code(
        &mut self,
        account: usize,
        bundle: &[u8],
        identity: [u8; 32],
    ) -> Result<Endorsed, SimError> {
        let device = self.reserve(account)?;
        let endorsement = self
            .with_phone(account, |phone, _| {
                phone.finish_code(bundle, &identity, device.device)
            })?
            .map_err(refusal)?;
        Ok((device, endorsement.key_index, endorsement.device_identity))
    }

    /// Whether a code that was typed in turned out wrong.
    pub(crate) fn code_failure(&mut self, number: &str) -> Option<SimError> {
        let account = self.account(number).ok()?;
        self.pairing_codes.get_mut(&account)?.failed.take()
    }
}
