//! The Signal keys that linked devices publish: registration, upload, count, digest, rotation, and
//! bundles for others. It must hand out a one-time prekey once only.

use std::collections::VecDeque;

use wacore::prekeys::compute_key_bundle_digest;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, SERVER_JID};

use crate::accounts::DeviceId;
use crate::directory::{Directory as _, KeyBundle};
use crate::iq::Reply;
use crate::stanza::{self, attr, child_bytes, children, jid, leaf, number};
use crate::world::World;

/// Curve25519, the only key type there is.
const KEY_TYPE: &[u8] = &[5];
/// The service asks for more when fewer one-time prekeys than this are left.
const LOW: usize = 10;

/// What one device has published.
#[derive(Debug, Clone)]
pub struct Keys {
    registration_id: u32,
    identity: [u8; 32],
    signed: (u32, [u8; 32], [u8; 64]),
    one_time: VecDeque<(u32, [u8; 32])>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            registration_id: 0,
            identity: [0; 32],
            signed: (0, [0; 32], [0; 64]),
            one_time: VecDeque::new(),
        }
    }
}

impl Keys {
    /// The keys a client brings when it registers; `None` if they are malformed.
    pub fn registered(
        registration_id: &[u8],
        identity: &[u8],
        signed_id: &[u8],
        signed_key: &[u8],
        signature: &[u8],
    ) -> Option<Self> {
        Some(Self {
            registration_id: number(registration_id),
            identity: identity.try_into().ok()?,
            signed: (
                number(signed_id),
                signed_key.try_into().ok()?,
                signature.try_into().ok()?,
            ),
            one_time: VecDeque::new(),
        })
    }

    /// The identity key.
    pub fn identity(&self) -> [u8; 32] {
        self.identity
    }

    /// Takes over what the device uploads.
    fn upload(&mut self, iq: &Node) -> Option<()> {
        if let Some(id) = child_bytes(iq, "registration") {
            self.registration_id = number(id);
        }
        if let Some(identity) = child_bytes(iq, "identity") {
            self.identity = identity.try_into().ok()?;
        }
        if let Some(skey) = iq.get_optional_child("skey") {
            self.signed = signed(skey)?;
        }
        for key in iq.get_optional_child("list").map_or(&[][..], children) {
            let id = number(child_bytes(key, "id")?);
            let value = child_bytes(key, "value")?.try_into().ok()?;
            // An upload repeated after a lost answer must not double the keys.
            if self.one_time.iter().all(|(known, _)| *known != id) {
                self.one_time.push_back((id, value));
            }
        }
        Some(())
    }

    fn take(&mut self) -> KeyBundle {
        KeyBundle {
            registration_id: self.registration_id,
            identity: self.identity,
            signed_prekey: self.signed,
            prekey: self.one_time.pop_front(),
        }
    }

    fn digest(&self) -> Node {
        let keys: Vec<&[u8]> = self
            .one_time
            .iter()
            .map(|(_, key)| key.as_slice())
            .collect();
        let hash = compute_key_bundle_digest(&self.identity, &self.signed.1, &self.signed.2, &keys);
        let list = self
            .one_time
            .iter()
            .map(|(id, _)| leaf("id", &id.to_be_bytes()[1..]));
        NodeBuilder::new("digest")
            .children([
                leaf("registration", self.registration_id.to_be_bytes()),
                leaf("type", KEY_TYPE),
                leaf("identity", self.identity),
                signed_node(&self.signed),
                NodeBuilder::new("list").children(list).build(),
                leaf("hash", hash),
            ])
            .build()
    }
}

fn signed(skey: &Node) -> Option<(u32, [u8; 32], [u8; 64])> {
    Some((
        number(child_bytes(skey, "id")?),
        child_bytes(skey, "value")?.try_into().ok()?,
        child_bytes(skey, "signature")?.try_into().ok()?,
    ))
}

fn signed_node((id, key, signature): &(u32, [u8; 32], [u8; 64])) -> Node {
    NodeBuilder::new("skey")
        .children([
            leaf("id", &id.to_be_bytes()[1..]),
            leaf("value", *key),
            leaf("signature", *signature),
        ])
        .build()
}

impl World {
    /// The `encrypt` namespace.
    pub(crate) fn encrypt(&mut self, from: DeviceId, iq: &Node) -> Reply {
        let Some(child) = stanza::first(iq) else {
            return Reply::bad_request();
        };
        match &*child.tag {
            "key" | "identity" if attr(iq, "type").as_deref() == Some("get") => {
                Reply::one(self.bundles(child))
            }
            "count" => {
                let count = self
                    .companion(from)
                    .map_or(0, |own| own.keys.one_time.len());
                Reply::one(NodeBuilder::new("count").attr("value", count).build())
            }
            "digest" => match self.companion(from) {
                Some(own) => Reply::one(own.keys.digest()),
                None => Reply::Error(404, "item-not-found"),
            },
            "rotate" => {
                let fresh = child.get_optional_child("skey").and_then(signed);
                match (fresh, self.companion(from)) {
                    (Some(fresh), Some(own)) => {
                        own.keys.signed = fresh;
                        Reply::done()
                    }
                    _ => Reply::bad_request(),
                }
            }
            "registration" | "type" | "identity" | "list" | "skey" => {
                let own = self.companion(from);
                match own.and_then(|own| own.keys.upload(iq)) {
                    Some(()) => Reply::done(),
                    None => Reply::bad_request(),
                }
            }
            _ => Reply::Unknown,
        }
    }

    fn bundles(&mut self, request: &Node) -> Node {
        let mut users = Vec::new();
        for user in children(request) {
            let Some(device) = jid(user, "jid") else {
                continue;
            };
            users.push(self.bundle_for(&device));
        }
        NodeBuilder::new("list").children(users).build()
    }

    fn bundle_for(&mut self, device: &Jid) -> Node {
        let node = NodeBuilder::new("user").attr("jid", device.clone());
        let Some(bundle) = self.take_bundle(device) else {
            let error = NodeBuilder::new("error")
                .attr("code", "404")
                .attr("text", "item-not-found")
                .build();
            return node.children([error]).build();
        };
        let mut parts = vec![
            leaf("registration", bundle.registration_id.to_be_bytes()),
            leaf("type", KEY_TYPE),
            leaf("identity", bundle.identity),
        ];
        if let Some((id, key)) = bundle.prekey {
            let key = NodeBuilder::new("key")
                .children([leaf("id", &id.to_be_bytes()[1..]), leaf("value", key)])
                .build();
            parts.push(key);
        }
        parts.push(signed_node(&bundle.signed_prekey));
        let identity = self
            .device_of(device)
            .and_then(|id| self.companion(id))
            .map(|companion| companion.device_identity.clone());
        if let Some(identity) = identity {
            parts.push(leaf("device-identity", identity));
        }
        node.children(parts).build()
    }

    /// A bundle of a linked device; it is told when its prekeys run low.
    pub(crate) fn take_companion_bundle(&mut self, id: DeviceId) -> Option<KeyBundle> {
        let companion = self.companion(id)?;
        let bundle = companion.keys.take();
        let left = companion.keys.one_time.len();
        // Once, when the mark is passed: further takes say nothing new.
        if bundle.prekey.is_some() && left + 1 == LOW {
            let count = NodeBuilder::new("count").attr("value", left).build();
            let notification = NodeBuilder::new("notification")
                .attr("from", SERVER_JID)
                .attr("type", "encrypt")
                .attr("id", self.fresh_id())
                .attr("t", self.now())
                .children([count])
                .build();
            self.deliver(id, notification);
        }
        Some(bundle)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn key(id: u32) -> Node {
        NodeBuilder::new("key")
            .children([
                leaf("id", &id.to_be_bytes()[1..]),
                leaf("value", vec![u8::try_from(id).unwrap(); 32]),
            ])
            .build()
    }

    #[test]
    fn a_one_time_prekey_goes_out_once() {
        let mut keys = Keys::default();
        let list = NodeBuilder::new("list").children([key(1), key(2)]).build();
        let iq = NodeBuilder::new("iq").children([list]).build();
        keys.upload(&iq).unwrap();
        keys.upload(&iq).unwrap();
        assert_eq!(keys.take().prekey.unwrap().0, 1);
        assert_eq!(keys.take().prekey.unwrap().0, 2);
        assert!(keys.take().prekey.is_none());
    }

    #[test]
    fn a_malformed_upload_is_refused() {
        let short = NodeBuilder::new("key")
            .children([leaf("id", [0, 0, 1]), leaf("value", [1; 31])])
            .build();
        let list = NodeBuilder::new("list").children([short]).build();
        let iq = NodeBuilder::new("iq").children([list]).build();
        assert!(Keys::default().upload(&iq).is_none());
    }
}
