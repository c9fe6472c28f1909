//! Looking people up: who has an account, under which LID, with which devices. It answers from the
//! accounts and changes nothing.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, Server};

use crate::accounts::DeviceId;
use crate::directory::Directory as _;
use crate::iq::Reply;
use crate::settings;
use crate::stanza::{attr, bytes, children, jid};
use crate::world::World;

impl World {
    /// The `usync` namespace.
    pub(crate) fn usync(&mut self, _from: DeviceId, iq: &Node) -> Reply {
        let Some(usync) = iq.get_optional_child("usync") else {
            return Reply::bad_request();
        };
        let (Some(query), Some(list)) = (
            usync.get_optional_child("query"),
            usync.get_optional_child("list"),
        ) else {
            return Reply::bad_request();
        };
        let protocols: Vec<String> = children(query)
            .iter()
            .map(|protocol| protocol.tag.to_string())
            .collect();
        if protocols.iter().any(|protocol| !known(protocol)) {
            return Reply::Unknown;
        }
        let mut users = Vec::new();
        for user in children(list) {
            users.push(self.looked_up(&protocols, user));
        }
        let results = children(query)
            .iter()
            .map(|protocol| NodeBuilder::new_dynamic(protocol.tag.to_string()).build());
        let mut answer = NodeBuilder::new("usync");
        for name in ["context", "mode", "sid", "index", "last"] {
            if let Some(value) = attr(usync, name) {
                answer = answer.attr(name, value);
            }
        }
        Reply::one(
            answer
                .children([
                    NodeBuilder::new("result").children(results).build(),
                    NodeBuilder::new("list").children(users).build(),
                ])
                .build(),
        )
    }

    fn looked_up(&mut self, protocols: &[String], user: &Node) -> Node {
        let phone = user
            .get_optional_child("contact")
            .map(|contact| String::from_utf8_lossy(bytes(contact)).into_owned())
            .filter(|phone| !phone.is_empty());
        let asked = match &phone {
            Some(phone) => Jid::pn(phone.trim_start_matches('+')),
            None => jid(user, "jid")
                .or_else(|| jid(user, "pn_jid"))
                .unwrap_or_default()
                .to_non_ad(),
        };
        let account = self.account_of(&asked);
        let mut found = NodeBuilder::new("user").attr("jid", asked.clone());
        if let (Some(account), true) = (account, asked.is_lid()) {
            found = found.attr("pn_jid", self.accounts[account].jid(Server::Pn, 0));
        }
        let mut parts = Vec::new();
        for protocol in protocols {
            parts.extend(self.protocol(protocol, account, phone.as_deref()));
        }
        found.children(parts).build()
    }

    fn protocol(
        &mut self,
        protocol: &str,
        account: Option<usize>,
        phone: Option<&str>,
    ) -> Option<Node> {
        if protocol == "contact" {
            let known = if account.is_some() { "in" } else { "out" };
            let contact = NodeBuilder::new("contact").attr("type", known);
            return Some(match phone {
                Some(phone) => contact.bytes(phone.as_bytes()).build(),
                None => contact.build(),
            });
        }
        let account = account?;
        Some(match protocol {
            "devices" => self.device_list(account),
            "lid" => NodeBuilder::new("lid")
                .attr("val", self.accounts[account].jid(Server::Lid, 0))
                .build(),
            "status" => settings::about_node(&self.accounts[account], "status"),
            "disappearing_mode" => settings::disappearing(&self.accounts[account]),
            // No pictures, businesses, user names or bots here.
            _ => return None,
        })
    }

    fn device_list(&mut self, account: usize) -> Node {
        let now = self.now();
        let signed = self
            .with_phone(account, |phone, _| phone.key_index_list())
            .unwrap_or_default();
        let mut devices = vec![NodeBuilder::new("device").attr("id", 0).build()];
        devices.extend(
            self.accounts[account]
                .companions
                .iter()
                .map(|(id, companion)| {
                    NodeBuilder::new("device")
                        .attr("id", *id)
                        .attr("key-index", companion.key_index)
                        .build()
                }),
        );
        let list = NodeBuilder::new("device-list").children(devices).build();
        let keys = NodeBuilder::new("key-index-list")
            .attr("ts", now)
            .bytes(signed)
            .build();
        NodeBuilder::new("devices").children([list, keys]).build()
    }
}

fn known(protocol: &str) -> bool {
    matches!(
        protocol,
        "contact"
            | "devices"
            | "lid"
            | "status"
            | "disappearing_mode"
            | "picture"
            | "business"
            | "username"
    )
}
