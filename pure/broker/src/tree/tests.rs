//! The tree against a map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn path() -> impl Strategy<Value = String> {
    let level = prop::sample::select(&["a", "b", "", "+", "#", "long enough to be kept elsewhere"][..]);
    prop::collection::vec(level, 1..6).prop_map(|levels| levels.join("/"))
}

/// Every node by way of its parent, and the paths of those with a value.
fn walk(tree: &LevelTree<u32>) -> (usize, BTreeMap<String, u32>) {
    let (mut open, mut count, mut found) = (vec![ROOT], 0, BTreeMap::new());
    while let Some(node) = open.pop() {
        count += 1;
        found.extend(tree.value(node).map(|value| (tree.path(node), *value)));
        let children: Vec<NodeId> = tree.children(node).collect();
        let is_wildcard = |child: &NodeId| tree.label(*child).starts_with(b"+") || tree.label(*child).starts_with(b"#");
        assert!(children.is_sorted_by_key(|child| !is_wildcard(child)), "wildcards stand first");
        for child in &children {
            assert_eq!(tree.child(node, first_level(tree.label(*child))), Some(*child));
        }
        open.extend(children);
    }
    (count, found)
}

proptest! {
    #[test]
    fn the_tree_holds_what_a_map_would(steps in prop::collection::vec((path(), prop::option::weighted(0.7, any::<u32>())), 0..60)) {
        let (mut tree, mut map, mut ids) = (LevelTree::new(1), BTreeMap::new(), BTreeMap::new());
        for (path, value) in steps {
            match value {
                Some(value) => {
                    let (id, place) = tree.entry(&path);
                    *place = Some(value);
                    ids.insert(path.clone(), id);
                    map.insert(path, value);
                }
                None => {
                    let found = tree.find(&path).and_then(|node| tree.remove(node));
                    prop_assert_eq!(found, map.remove(&path));
                }
            }
            let (count, found) = walk(&tree);
            prop_assert_eq!(count, tree.nodes());
            prop_assert_eq!(&found, &map);
            for path in map.keys() {
                prop_assert_eq!(tree.find(path), ids.get(path).copied(), "a node keeps its number");
            }
        }
        for path in map.keys() {
            let node = tree.find(path).unwrap();
            prop_assert!(tree.remove(node).is_some());
        }
        prop_assert_eq!(tree.nodes(), 1);
    }
}

#[test]
fn what_does_not_branch_is_one_node() {
    let mut tree = LevelTree::new(1);
    for number in 0..100 {
        *tree.entry(&format!("plant/line/{number}/state")).1 = Some(number);
    }
    assert_eq!(tree.nodes(), 1 + 1 + 100);
    // As large as what a filter has, and like it with a value to spare.
    assert_eq!((size_of::<Node<([u64; 2], bool)>>(), size_of::<Label>()), (64, 24), "what each costs beside the table");
}
