//! Groups: who is in them, what they are called, and telling members of changes. Groups are addressed by
//! LID. It must never let someone who is not a member see one.

use std::collections::BTreeMap;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, Server};

use crate::accounts::DeviceId;
use crate::directory::Directory as _;
use crate::error::SimError;
use crate::iq::Reply;
use crate::stanza::{attr, children, empty, first, is, jid};
use crate::world::World;

/// A group.
pub struct Group {
    /// Its subject.
    pub subject: String,
    /// Who made it: an account.
    pub creator: usize,
    /// When, in Unix seconds.
    pub created: u64,
    /// Its members by account, and whether they are administrators.
    pub members: BTreeMap<usize, bool>,
}

impl World {
    /// Makes a group of a phone's account and the accounts of other numbers.
    ///
    /// # Errors
    /// If one of the numbers has no account.
    pub fn create_group(
        &mut self,
        number: &str,
        name: &str,
        members: &[String],
    ) -> Result<Jid, SimError> {
        let creator = self.account(number)?;
        let members = members
            .iter()
            .map(|number| self.account(number))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.new_group(creator, name, members))
    }

    fn new_group(&mut self, creator: usize, subject: &str, members: Vec<usize>) -> Jid {
        let mut all: BTreeMap<usize, bool> = members.into_iter().map(|id| (id, false)).collect();
        all.insert(creator, true);
        let created = self.now();
        // Ids of groups are eighteen digits.
        let id = format!("120363{:012}", 400_000_000 + self.groups.len());
        let group = Group {
            subject: subject.into(),
            creator,
            created,
            members: all,
        };
        self.groups.insert(id.clone(), group);
        let create = NodeBuilder::new("create")
            .attr("reason", "invite")
            .children(self.group_node(&id))
            .build();
        let author = DeviceId {
            account: creator,
            device: 0,
        };
        self.tell_members(&id, author, create, None);
        Jid::group(id)
    }

    /// A group as members see it; nothing if there is none.
    fn group_node(&self, id: &str) -> Option<Node> {
        let group = self.groups.get(id)?;
        let creator = &self.accounts[group.creator];
        let members = group.members.iter().map(|(account, admin)| {
            let account = &self.accounts[*account];
            let member = NodeBuilder::new("participant")
                .attr("jid", account.jid(Server::Lid, 0))
                .attr("phone_number", account.jid(Server::Pn, 0));
            if *admin {
                member.attr("type", "superadmin").build()
            } else {
                member.build()
            }
        });
        Some(
            NodeBuilder::new("group")
                .attr("id", id)
                .attr("subject", group.subject.as_str())
                .attr("s_o", creator.jid(Server::Lid, 0))
                .attr("s_o_pn", creator.jid(Server::Pn, 0))
                .attr("s_t", group.created)
                .attr("creation", group.created)
                .attr("creator", creator.jid(Server::Lid, 0))
                .attr("creator_pn", creator.jid(Server::Pn, 0))
                .attr("addressing_mode", "lid")
                .attr("size", group.members.len())
                .children(members)
                .build(),
        )
    }

    /// Tells every device of every member, but the one that made the change, what changed.
    fn tell_members(&mut self, id: &str, by: DeviceId, change: Node, gone: Option<usize>) {
        let Some(group) = self.groups.get(id) else {
            return;
        };
        let members: Vec<usize> = group.members.keys().copied().chain(gone).collect();
        let author = &self.accounts[by.account];
        let notification = NodeBuilder::new("notification")
            .attr("type", "w:gp2")
            .attr("from", Jid::group(id))
            .attr("participant", author.jid(Server::Lid, 0))
            .attr("participant_pn", author.jid(Server::Pn, 0))
            .attr("addressing_mode", "lid")
            .attr("notify", author.name.as_str())
            .attr("t", self.now())
            .children([change]);
        let mut notification = notification.build();
        for account in members {
            for device in self.accounts[account].devices() {
                let target = DeviceId { account, device };
                if target == by {
                    continue;
                }
                notification.attrs.insert("id", self.fresh_id());
                self.deliver(target, notification.clone());
            }
        }
    }

    /// The `w:g2` namespace.
    pub(crate) fn group_query(&mut self, from: DeviceId, iq: &Node) -> Reply {
        let Some(child) = first(iq) else {
            return Reply::bad_request();
        };
        let id = jid(iq, "to")
            .map(|jid| jid.user.to_string())
            .unwrap_or_default();
        match &*child.tag {
            "query" if is(iq, "type", "get") => self.visible(from, &id, |world| {
                world
                    .group_node(&id)
                    .map_or_else(Reply::bad_request, Reply::one)
            }),
            "participating" => {
                let ids: Vec<String> = self
                    .groups
                    .iter()
                    .filter(|(_, group)| group.members.contains_key(&from.account))
                    .map(|(id, _)| id.clone())
                    .collect();
                let groups = ids.iter().filter_map(|id| self.group_node(id));
                Reply::one(NodeBuilder::new("groups").children(groups).build())
            }
            "create" => self.create_by_device(from, child),
            "add" | "remove" => {
                self.visible(from, &id, |world| world.change_members(from, &id, child))
            }
            "subject" => self.visible(from, &id, |world| world.rename(from, &id, child)),
            "leave" => self.leave(from, child),
            _ => Reply::Unknown,
        }
    }

    /// Answers only a member.
    fn visible(
        &mut self,
        from: DeviceId,
        id: &str,
        answer: impl FnOnce(&mut Self) -> Reply,
    ) -> Reply {
        match self.groups.get(id) {
            None => Reply::Error(404, "item-not-found"),
            Some(group) if !group.members.contains_key(&from.account) => {
                Reply::Error(403, "forbidden")
            }
            Some(_) => answer(self),
        }
    }

    fn create_by_device(&mut self, from: DeviceId, create: &Node) -> Reply {
        let Some(subject) = attr(create, "subject") else {
            return Reply::bad_request();
        };
        let members = self.members_in(create);
        let group = self.new_group(from.account, &subject, members);
        self.group_node(&group.user)
            .map_or_else(Reply::bad_request, Reply::one)
    }

    fn members_in(&self, node: &Node) -> Vec<usize> {
        children(node)
            .iter()
            .filter_map(|member| self.account_of(&jid(member, "jid")?))
            .collect()
    }

    fn change_members(&mut self, from: DeviceId, id: &str, change: &Node) -> Reply {
        let accounts = self.members_in(change);
        let adds = change.tag == "add";
        let Some(group) = self.groups.get_mut(id) else {
            return Reply::Error(404, "item-not-found");
        };
        if group.members.get(&from.account) != Some(&true) {
            return Reply::Error(403, "forbidden");
        }
        for account in &accounts {
            if adds {
                group.members.entry(*account).or_insert(false);
            } else {
                group.members.remove(account);
            }
        }
        let tag = if adds { "add" } else { "remove" };
        let named: Vec<Node> = accounts.iter().map(|id| self.member_node(*id)).collect();
        let told = NodeBuilder::new(tag).children(named.clone()).build();
        let gone = accounts.first().copied().filter(|_| !adds);
        self.tell_members(id, from, told, gone);
        Reply::one(NodeBuilder::new(tag).children(named).build())
    }

    fn member_node(&self, account: usize) -> Node {
        let account = &self.accounts[account];
        NodeBuilder::new("participant")
            .attr("jid", account.jid(Server::Lid, 0))
            .attr("phone_number", account.jid(Server::Pn, 0))
            .build()
    }

    fn rename(&mut self, from: DeviceId, id: &str, subject: &Node) -> Reply {
        let text = String::from_utf8_lossy(crate::stanza::bytes(subject)).into_owned();
        if let Some(group) = self.groups.get_mut(id) {
            group.subject.clone_from(&text);
        }
        let author = self.accounts[from.account].jid(Server::Lid, 0);
        let told = NodeBuilder::new("subject")
            .attr("subject", text)
            .attr("s_o", author)
            .attr("s_t", self.now())
            .build();
        self.tell_members(id, from, told, None);
        Reply::done()
    }

    fn leave(&mut self, from: DeviceId, leave: &Node) -> Reply {
        let mut left = Vec::new();
        for group in children(leave) {
            let Some(asked) = attr(group, "id") else {
                return Reply::bad_request();
            };
            let id = asked.trim_end_matches("@g.us");
            let was_in = self
                .groups
                .get_mut(id)
                .and_then(|group| group.members.remove(&from.account))
                .is_some();
            if !was_in {
                return Reply::Error(404, "item-not-found");
            }
            let told = NodeBuilder::new("remove")
                .children([self.member_node(from.account)])
                .build();
            self.tell_members(id, from, told, Some(from.account));
            left.push(NodeBuilder::new("group").attr("id", asked).build());
        }
        if left.is_empty() {
            return Reply::one(empty("leave"));
        }
        Reply::one(NodeBuilder::new("leave").children(left).build())
    }
}
