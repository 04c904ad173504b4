//! A tree of topic levels in one arena: what the subscriptions and the retained messages have in common.
//!
//! A node stands for all levels that lead from its parent to it and branch nowhere, so a topic that differs from all others in two levels adds
//! one node, not two. Nodes are numbers into a slab and their children are linked through them, so that neither walking nor dropping a deep tree
//! recurses; which child goes on with a level says one table for the whole tree. It grows in parts: no single change waits for all of it.
//!
//! A node keeps its number and the end of its path as long as it has a value or a child. Only its beginning may move, when another branches off
//! before it.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use slab::Slab;

use label::{Label, first_level};

mod label;

/// The number of a node.
pub(crate) type NodeId = u32;

/// The root's number. It is nobody's child, so in the place of a child or sibling it says that there is none.
pub(crate) const ROOT: NodeId = 0;

/// Tables of children, each of which grows for itself.
const PARTS: usize = 64;

/// A tree with a value at any node.
#[derive(Debug)]
pub(crate) struct LevelTree<T> {
    nodes: Slab<Node<T>>,
    /// All nodes but the root, by their parents and the levels that they begin with.
    edges: Box<[HashTable<NodeId>]>,
    /// Clients choose the levels, so the hash has to be one they cannot predict.
    hasher: FixedState,
}

#[derive(Debug)]
struct Node<T> {
    label: Label,
    parent: NodeId,
    /// Those that begin with a wildcard stand first.
    first_child: NodeId,
    next: NodeId,
    previous: NodeId,
    value: Option<T>,
}

impl<T> Node<T> {
    fn new(label: &[u8]) -> Self {
        Self { label: Label::new(label), parent: ROOT, first_child: ROOT, next: ROOT, previous: ROOT, value: None }
    }
}

impl<T> LevelTree<T> {
    /// A tree with a root and nothing else.
    pub(crate) fn new(seed: u64) -> Self {
        let mut nodes = Slab::new();
        nodes.insert(Node::new(b""));
        Self { nodes, edges: (0..PARTS).map(|_| HashTable::new()).collect(), hasher: FixedState::with_seed(seed) }
    }

    /// The node at the end of a path, made if it is not there, and the place of its value. A node without one has to get it.
    pub(crate) fn entry(&mut self, path: &str) -> (NodeId, &mut Option<T>) {
        let mut at = ROOT;
        let mut rest = Some(path.as_bytes());
        while let Some(text) = rest {
            let Some(child) = self.child(at, first_level(text)) else {
                at = self.add(at, text);
                break;
            };
            let label = self.label(child);
            let common = common_levels(label, text);
            rest = after(text, common);
            at = if common == label.len() { child } else { self.split(child, common) };
        }
        (at, &mut self.node_mut(at).value)
    }

    /// The node at the end of a path.
    pub(crate) fn find(&self, path: &str) -> Option<NodeId> {
        let mut at = ROOT;
        let mut rest = Some(path.as_bytes());
        while let Some(text) = rest {
            at = self.child(at, first_level(text))?;
            let label = self.label(at);
            let behind = text.get(label.len()..).filter(|_| text.starts_with(label))?;
            rest = match behind.split_first() {
                None => None,
                Some((b'/', behind)) => Some(behind),
                Some(_) => return None,
            };
        }
        Some(at)
    }

    /// The child of a node that goes on with a level.
    pub(crate) fn child(&self, node: NodeId, level: &[u8]) -> Option<NodeId> {
        // Most nodes are leaves: no hash for those.
        if self.node(node)?.first_child == ROOT {
            return None;
        }
        let hash = self.hash(node, level);
        let is_it =
            |child: &NodeId| self.node(*child).is_some_and(|child| child.parent == node && first_level(child.label.bytes()) == level);
        self.edges.get(part_of(hash))?.find(hash, is_it).copied()
    }

    /// The levels between a node's parent and itself, with the slashes between them.
    pub(crate) fn label(&self, node: NodeId) -> &[u8] {
        self.node(node).map_or(b"", |node| node.label.bytes())
    }

    /// All children of a node. Those that begin with a wildcard stand first.
    pub(crate) fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let some = |id: NodeId| Some(id).filter(|id| *id != ROOT);
        let first = self.node(node).and_then(|node| some(node.first_child));
        std::iter::successors(first, move |child| self.node(*child).and_then(|child| some(child.next)))
    }

    /// The whole path of a node.
    pub(crate) fn path(&self, node: NodeId) -> String {
        let mut labels = Vec::new();
        let mut at = node;
        while at != ROOT {
            labels.push(self.label(at));
            at = self.node(at).map_or(ROOT, |node| node.parent);
        }
        labels.reverse();
        // Every label was cut out of a text between two slashes.
        String::from_utf8(labels.join(&b'/')).unwrap_or_default()
    }

    /// The value at a node.
    pub(crate) fn value(&self, node: NodeId) -> Option<&T> {
        self.node(node)?.value.as_ref()
    }

    /// The place of a node's value. Who empties it calls [`Self::prune`].
    pub(crate) fn place_mut(&mut self, node: NodeId) -> Option<&mut Option<T>> {
        self.nodes.get_mut(index(node)).map(|node| &mut node.value)
    }

    /// Takes the value away, and with it the nodes that lead nowhere else.
    pub(crate) fn remove(&mut self, node: NodeId) -> Option<T> {
        let value = self.place_mut(node)?.take();
        self.prune(node);
        value
    }

    /// Takes a node away that has neither value nor children, and what led to it and leads nowhere else.
    pub(crate) fn prune(&mut self, node: NodeId) {
        let mut at = node;
        while at != ROOT {
            let Some(found) = self.node(at) else { break };
            if found.value.is_some() || found.first_child != ROOT {
                break;
            }
            let parent = found.parent;
            self.take_edge(at);
            self.unlink(at);
            self.nodes.remove(index(at));
            at = parent;
        }
        if self.nodes.len() == 1 {
            self.nodes.shrink_to_fit();
        }
    }

    /// Nodes, the root included.
    #[cfg(test)]
    pub(crate) fn nodes(&self) -> usize {
        assert_eq!(self.edges.iter().map(HashTable::len).sum::<usize>(), self.nodes.len() - 1, "every node but the root has an edge");
        self.nodes.len()
    }

    fn add(&mut self, parent: NodeId, label: &[u8]) -> NodeId {
        let id = number(self.nodes.insert(Node { parent, ..Node::new(label) }));
        self.link(id);
        self.put_edge(id);
        id
    }

    /// Puts a node between another one and its parent, where so many octets of its label end. The other one stays what it is.
    fn split(&mut self, node: NodeId, common: usize) -> NodeId {
        self.take_edge(node);
        let (above, below) = {
            let label = self.label(node);
            (Label::new(label.get(..common).unwrap_or_default()), Label::new(after(label, common).unwrap_or_default()))
        };
        let Node { parent, next, previous, .. } = *self.node_mut(node);
        let new = number(self.nodes.insert(Node { label: above, parent, first_child: node, next, previous, value: None }));
        self.set_links((parent, previous, next), new);
        let moved = self.node_mut(node);
        (moved.label, moved.parent, moved.next, moved.previous) = (below, new, ROOT, ROOT);
        self.put_edge(new);
        self.put_edge(node);
        new
    }

    /// Enters a node among its parent's children.
    fn link(&mut self, id: NodeId) {
        let Some(node) = self.node(id) else { return };
        let parent = node.parent;
        let is_literal = !node.label.is_wildcard();
        let wildcards = |child: &NodeId| is_literal && self.node(*child).is_some_and(|child| child.label.is_wildcard());
        // At most two: one for each wildcard.
        let previous = self.children(parent).take_while(wildcards).last().unwrap_or(ROOT);
        let next = match self.node(previous) {
            Some(before) if previous != ROOT => before.next,
            _ => self.node(parent).map_or(ROOT, |parent| parent.first_child),
        };
        let node = self.node_mut(id);
        (node.previous, node.next) = (previous, next);
        self.set_links((parent, previous, next), id);
    }

    /// Has those beside a node know of it.
    fn set_links(&mut self, (parent, previous, next): (NodeId, NodeId, NodeId), id: NodeId) {
        if previous == ROOT {
            self.node_mut(parent).first_child = id;
        } else {
            self.node_mut(previous).next = id;
        }
        if next != ROOT {
            self.node_mut(next).previous = id;
        }
    }

    fn unlink(&mut self, id: NodeId) {
        let Node { parent, next, previous, .. } = *self.node_mut(id);
        if previous == ROOT {
            self.node_mut(parent).first_child = next;
        } else {
            self.node_mut(previous).next = next;
        }
        if next != ROOT {
            self.node_mut(next).previous = previous;
        }
    }

    fn put_edge(&mut self, id: NodeId) {
        let hash = self.hash_of(id);
        let Self { nodes, edges, hasher, .. } = self;
        if let Some(part) = edges.get_mut(part_of(hash)) {
            part.insert_unique(hash, id, |id| edge_hash(nodes, hasher, *id));
        }
    }

    fn take_edge(&mut self, id: NodeId) {
        let hash = self.hash_of(id);
        let Self { nodes, edges, hasher, .. } = self;
        let Some(part) = edges.get_mut(part_of(hash)) else { return };
        if let Ok(found) = part.find_entry(hash, |known| *known == id) {
            found.remove();
        }
        // Gives memory back after there was much more.
        if part.len() * 4 < part.capacity() && part.capacity() > 16 {
            part.shrink_to(part.len() * 2, |id| edge_hash(nodes, hasher, *id));
        }
    }

    fn hash(&self, parent: NodeId, level: &[u8]) -> u64 {
        hash(&self.hasher, parent, level)
    }

    fn hash_of(&self, id: NodeId) -> u64 {
        edge_hash(&self.nodes, &self.hasher, id)
    }

    fn node(&self, node: NodeId) -> Option<&Node<T>> {
        self.nodes.get(index(node))
    }

    #[expect(clippy::indexing_slicing, reason = "numbers come from this arena and stay valid until `prune` takes the node out")]
    fn node_mut(&mut self, node: NodeId) -> &mut Node<T> {
        &mut self.nodes[index(node)]
    }
}

fn edge_hash<T>(nodes: &Slab<Node<T>>, hasher: &FixedState, id: NodeId) -> u64 {
    nodes.get(index(id)).map_or(0, |node| hash(hasher, node.parent, first_level(node.label.bytes())))
}

fn hash(hasher: &FixedState, parent: NodeId, level: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(level);
    hasher.write_u32(parent);
    hasher.finish()
}

/// By bits that the tables themselves do not go by.
fn part_of(hash: u64) -> usize {
    usize::try_from((hash >> 40) & 63).unwrap_or(0)
}

/// How many octets of the longest sequence of whole levels with which both begin. The first level of both is the same.
fn common_levels(label: &[u8], text: &[u8]) -> usize {
    let same = label.iter().zip(text).take_while(|(one, other)| one == other).count();
    let ends = |of: &[u8]| of.get(same).is_none_or(|octet| *octet == b'/');
    if ends(label) && ends(text) {
        return same;
    }
    label.get(..same).and_then(|same| same.iter().rposition(|octet| *octet == b'/')).unwrap_or(0)
}

/// What stands behind the slash that follows so many octets; nothing if no slash follows.
fn after(text: &[u8], octets: usize) -> Option<&[u8]> {
    text.get(octets + 1..)
}

fn index(node: NodeId) -> usize {
    usize::try_from(node).unwrap_or(usize::MAX)
}

/// There is no memory for as many nodes as would not fit.
fn number(index: usize) -> NodeId {
    NodeId::try_from(index).unwrap_or(NodeId::MAX)
}

#[cfg(test)]
mod tests;
