//! A tree of topic levels in one arena: what the subscriptions and the retained messages have in common.
//!
//! Nodes are numbers into a slab, so that neither walking nor dropping a deep tree recurses.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;
use slab::Slab;

/// The root's number.
pub(crate) const ROOT: usize = 0;

/// A tree with a value at any node.
#[derive(Debug)]
pub(crate) struct LevelTree<T> {
    nodes: Slab<Node<T>>,
    /// Clients choose the levels, so the hash has to be one they cannot predict.
    hasher: FixedState,
}

#[derive(Debug)]
struct Node<T> {
    parent: usize,
    level: Box<str>,
    children: HashMap<Box<str>, usize, FixedState>,
    value: Option<T>,
}

impl<T> Node<T> {
    fn new(parent: usize, level: &str, hasher: FixedState) -> Self {
        Self { parent, level: level.into(), children: HashMap::with_hasher(hasher), value: None }
    }
}

impl<T> LevelTree<T> {
    /// A tree with a root and nothing else.
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        let mut nodes = Slab::new();
        nodes.insert(Node::new(ROOT, "", hasher.clone()));
        Self { nodes, hasher }
    }

    /// The value at the end of a path, made if it is not there.
    pub(crate) fn entry<'a>(&mut self, path: impl Iterator<Item = &'a str>) -> &mut Option<T> {
        let mut at = ROOT;
        for level in path {
            at = self.child_or_insert(at, level);
        }
        &mut self.node_mut(at).value
    }

    /// The node at the end of a path.
    pub(crate) fn find<'a>(&self, path: impl Iterator<Item = &'a str>) -> Option<usize> {
        let mut at = ROOT;
        for level in path {
            at = self.child(at, level)?;
        }
        Some(at)
    }

    /// The child of a node for one level.
    pub(crate) fn child(&self, node: usize, level: &str) -> Option<usize> {
        let children = &self.nodes.get(node)?.children;
        // Most nodes are leaves: no hash for those.
        if children.is_empty() { None } else { children.get(level).copied() }
    }

    /// All children of a node.
    pub(crate) fn children(&self, node: usize) -> impl Iterator<Item = (&str, usize)> {
        self.nodes.get(node).into_iter().flat_map(|node| node.children.iter().map(|(level, child)| (&**level, *child)))
    }

    /// The value at a node.
    pub(crate) fn value(&self, node: usize) -> Option<&T> {
        self.nodes.get(node)?.value.as_ref()
    }

    /// The value at a node, to change it.
    pub(crate) fn value_mut(&mut self, node: usize) -> Option<&mut T> {
        self.nodes.get_mut(node)?.value.as_mut()
    }

    /// Takes the value away, and with it the nodes that lead nowhere else.
    pub(crate) fn remove(&mut self, node: usize) -> Option<T> {
        let value = self.nodes.get_mut(node)?.value.take();
        let mut at = node;
        while at != ROOT {
            let Some(found) = self.nodes.get(at) else { break };
            if found.value.is_some() || !found.children.is_empty() {
                break;
            }
            let Node { parent, level, .. } = self.nodes.remove(at);
            if let Some(parent) = self.nodes.get_mut(parent) {
                parent.children.remove(&level);
            }
            at = parent;
        }
        value
    }

    /// Nodes, the root included.
    #[cfg(test)]
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    fn child_or_insert(&mut self, parent: usize, level: &str) -> usize {
        if let Some(found) = self.child(parent, level) {
            return found;
        }
        let new = self.nodes.insert(Node::new(parent, level, self.hasher.clone()));
        match self.node_mut(parent).children.entry(level.into()) {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(place) => *place.insert(new),
        }
    }

    #[expect(clippy::indexing_slicing, reason = "numbers come from this arena and stay valid until `remove` takes the node out")]
    fn node_mut(&mut self, node: usize) -> &mut Node<T> {
        &mut self.nodes[node]
    }
}
