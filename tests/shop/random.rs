//! A small deterministic generator (SplitMix64): a seed gives the same day on every machine.

/// The generator.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed ^ 0x7265_6c65_766f)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// True so often of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[(self.next() % of.len() as u64) as usize].clone()
    }

    /// One of these, each as likely as its weight.
    pub fn weighted<T: Clone>(&mut self, of: &[(u64, T)]) -> T {
        let mut left = self.next() % of.iter().map(|(weight, _)| weight).sum::<u64>();
        for (weight, what) in of {
            if left < *weight {
                return what.clone();
            }
            left -= weight;
        }
        unreachable!("the weights add up")
    }
}

#[test]
fn the_same_seed_gives_the_same_numbers() {
    let numbers = |seed| {
        let mut random = Random::new(seed);
        [random.next(), random.between(3, 5), random.weighted(&[(1, 7), (9, 8)]), random.one(&[1, 2, 3])]
    };
    assert_eq!(numbers(7), numbers(7));
    assert_ne!(numbers(7)[0], numbers(8)[0]);
    assert!((0..100).all(|seed| (3..=5).contains(&numbers(seed)[1])));
}
