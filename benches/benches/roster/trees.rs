//! The peers: the trees `kiddo` and `rstar`, without concurrency, claims by removal.

use std::num::NonZero;

use kiddo::{MutableKdTree, SquaredEuclidean};
use rstar::{AABB, PointDistance, RTree, RTreeObject};

use crate::city::{City, RARE, REACH, Standing};

pub(crate) struct Kiddo {
    tree: MutableKdTree<f64, 2>,
    people: Vec<Standing>,
}

impl Kiddo {
    pub(crate) fn new(city: &City) -> Self {
        let mut tree = MutableKdTree::default();
        for one in city.free() {
            tree.add(&one.at, one.id).expect("no two on one spot");
        }
        Self { tree, people: city.all.clone() }
    }

    /// Asks for more and more until enough have the skill: the tree knows no filter. Starts with twice what should do.
    pub(crate) fn nearest(&self, at: [f64; 2], skills: u16, limit: usize, best: &mut Vec<u32>) {
        let mut ask = if skills == RARE { 200 * limit } else { 8 * limit };
        loop {
            let count = NonZero::new(ask).expect("at least one");
            let found = self
                .tree
                .query(&at)
                .nearest_n::<SquaredEuclidean<f64>>(count)
                .within(REACH * REACH)
                .execute();
            let able = |id: &u32| self.people[*id as usize].skills & skills == skills;
            best.clear();
            best.extend(found.iter().map(|one| one.item).filter(able).take(limit));
            if best.len() == limit || found.len() < ask {
                return;
            }
            ask *= 4;
        }
    }

    pub(crate) fn serve(&mut self, at: [f64; 2], skills: u16, limit: usize, best: &mut Vec<u32>) {
        self.nearest(at, skills, limit, best);
        let Some(nearest) = best.first() else { return };
        let taken = self.people[*nearest as usize];
        self.tree.remove(&taken.at, taken.id);
        self.tree.add(&taken.at, taken.id).expect("no two on one spot");
    }

    pub(crate) fn report(&mut self, id: u32, at: [f64; 2]) {
        let one = &mut self.people[id as usize];
        self.tree.remove(&one.at, id);
        self.tree.add(&at, id).expect("no two on one spot");
        one.at = at;
    }
}

impl RTreeObject for Standing {
    type Envelope = AABB<[f64; 2]>;
    fn envelope(&self) -> Self::Envelope {
        AABB::from_point(self.at)
    }
}

impl PointDistance for Standing {
    fn distance_2(&self, point: &[f64; 2]) -> f64 {
        let (east, north) = (self.at[0] - point[0], self.at[1] - point[1]);
        east * east + north * north
    }
}

pub(crate) struct Rstar {
    tree: RTree<Standing>,
    people: Vec<Standing>,
}

impl Rstar {
    pub(crate) fn new(city: &City) -> Self {
        Self { tree: RTree::bulk_load(city.free().collect()), people: city.all.clone() }
    }

    pub(crate) fn nearest(&self, at: [f64; 2], skills: u16, limit: usize, best: &mut Vec<u32>) {
        let near = self.tree.nearest_neighbor_iter_with_distance_2(at);
        let near = near.take_while(|(_, squared)| *squared <= REACH * REACH);
        best.clear();
        best.extend(near.filter(|(one, _)| one.skills & skills == skills).map(|(one, _)| one.id).take(limit));
    }

    pub(crate) fn serve(&mut self, at: [f64; 2], skills: u16, limit: usize, best: &mut Vec<u32>) {
        self.nearest(at, skills, limit, best);
        let Some(nearest) = best.first() else { return };
        let taken = self.tree.remove(&self.people[*nearest as usize]).expect("is there");
        self.tree.insert(taken);
    }

    pub(crate) fn report(&mut self, id: u32, at: [f64; 2]) {
        let one = self.tree.remove(&self.people[id as usize]).expect("is there");
        let moved = Standing { at, ..one };
        self.tree.insert(moved);
        self.people[id as usize] = moved;
    }
}
