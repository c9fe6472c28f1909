//! Reading and building stanzas: the few shapes that every part of the server needs. It must hold no
//! state and decide nothing.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent, SERVER_JID};

/// An attribute as text.
pub fn attr(node: &Node, name: &str) -> Option<String> {
    node.attrs
        .get(name)
        .map(|value| value.as_str().into_owned())
}

/// Whether an attribute has exactly this value.
pub fn is(node: &Node, name: &str, value: &str) -> bool {
    node.attrs.get(name).is_some_and(|found| *found == value)
}

/// An attribute as an address.
pub fn jid(node: &Node, name: &str) -> Option<Jid> {
    node.attrs.get(name).and_then(|value| value.to_jid())
}

/// The content of a leaf as bytes; empty if it has none.
pub fn bytes(node: &Node) -> &[u8] {
    match &node.content {
        Some(NodeContent::Bytes(bytes)) => bytes,
        Some(NodeContent::String(text)) => text.as_bytes(),
        Some(NodeContent::Nodes(_)) | None => &[],
    }
}

/// The content of the named child as bytes.
pub fn child_bytes<'a>(node: &'a Node, tag: &str) -> Option<&'a [u8]> {
    node.get_optional_child(tag).map(bytes)
}

/// The children of a stanza; none if its content is not a list.
pub fn children(node: &Node) -> &[Node] {
    node.children().unwrap_or_default()
}

/// The first child.
pub fn first(node: &Node) -> Option<&Node> {
    children(node).first()
}

/// A big-endian number of up to four bytes, as ids travel in key bundles.
pub fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// The answer to an iq.
pub fn result(id: &str, children: Vec<Node>) -> Node {
    let node = NodeBuilder::new("iq")
        .attr("from", SERVER_JID)
        .attr("type", "result")
        .attr("id", id);
    if children.is_empty() {
        node.build()
    } else {
        node.children(children).build()
    }
}

/// The refusal of an iq.
pub fn error(id: &str, code: u16, text: &str) -> Node {
    NodeBuilder::new("iq")
        .attr("from", SERVER_JID)
        .attr("type", "error")
        .attr("id", id)
        .children([NodeBuilder::new("error")
            .attr("code", code)
            .attr("text", text)
            .build()])
        .build()
}

/// An empty element.
pub fn empty(tag: &'static str) -> Node {
    NodeBuilder::new(tag).build()
}

/// An element around bytes.
pub fn leaf(tag: &'static str, content: impl Into<Vec<u8>>) -> Node {
    NodeBuilder::new(tag).bytes(content).build()
}

/// An `<ib>` around one child.
pub fn ib(child: Node) -> Node {
    NodeBuilder::new("ib")
        .attr("from", SERVER_JID)
        .children([child])
        .build()
}
