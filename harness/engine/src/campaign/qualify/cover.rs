//! Which cases of a matrix are run: all of them, or so many that any two values meet.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::matrix::Matrix;
use crate::campaign::case::Case;

/// How much of a matrix is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cover {
    /// Every two values of two dimensions occur together in some case, unless all such cases are left out.
    Pairs,
    /// The full product.
    Full,
}

/// Two values of two dimensions, by their places.
type Pair = ((usize, usize), (usize, usize));

/// The cases of `matrix`, in the order of the full product.
///
/// For [`Cover::Pairs`] the case that adds most pairs is taken, again and again, and of equals the
/// first: the same matrix always gives the same cases, and the one of all default values is among them.
#[must_use]
pub fn cases(matrix: &Matrix, cover: Cover) -> Vec<Case> {
    let product = matrix.product();
    if cover == Cover::Full {
        return product;
    }
    let pairs: Vec<Vec<Pair>> = product.iter().map(|case| pairs(matrix, case)).collect();
    let mut open: HashSet<Pair> = pairs.iter().flatten().copied().collect();
    let mut taken = vec![false; product.len()];
    // A matrix of one dimension has no pairs: there, each value is a case.
    if matrix.dimensions.len() < 2 {
        taken.fill(true);
    }
    while !open.is_empty() {
        let news = |pairs: &Vec<Pair>| pairs.iter().filter(|pair| open.contains(pair)).count();
        let mut best = (0, 0);
        for (position, pairs) in pairs.iter().enumerate() {
            let news = news(pairs);
            if news > best.1 {
                best = (position, news);
            }
        }
        taken[best.0] = true;
        for pair in &pairs[best.0] {
            open.remove(pair);
        }
    }
    let taken = product.into_iter().zip(taken);
    taken
        .filter_map(|(case, taken)| taken.then_some(case))
        .collect()
}

fn pairs(matrix: &Matrix, case: &Case) -> Vec<Pair> {
    let positions: Vec<(usize, usize)> = matrix
        .dimensions
        .iter()
        .zip(&case.0)
        .enumerate()
        .filter_map(|(position, (dimension, (_, value)))| {
            let value = dimension.values.iter().position(|one| one == value)?;
            Some((position, value))
        })
        .collect();
    let mut pairs = vec![];
    for (count, one) in positions.iter().enumerate() {
        pairs.extend(positions[count + 1..].iter().map(|other| (*one, *other)));
    }
    pairs
}
