//! Messages to be sent, each until its fate is known.
//!
//! A request that is refused as a whole is cut in halves until the message to blame stands alone. Nothing here waits or
//! speaks to anybody; whoever sends does.

use super::{
    judge::{Hold, Judged},
    parcel::Parcel,
};

/// The fate of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    Refused(String),
}

/// What became of messages: the fates of those at the front, and why the rest has none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    pub fates: Vec<Fate>,
    pub held: Option<Hold>,
}

/// Sends messages in one request, and in smaller ones where that is refused.
pub(super) fn deliver(parcels: &[Parcel], mut send: impl FnMut(&[&Parcel]) -> Judged) -> Delivered {
    let mut fates: Vec<Option<Fate>> = vec![None; parcels.len()];
    let mut requests: Vec<Vec<usize>> = vec![(0..parcels.len()).collect()];
    let mut held = None;
    while let Some(mut places) = requests.pop() {
        if places.is_empty() {
            continue;
        }
        let of_request: Vec<&Parcel> = places.iter().map(|place| &parcels[*place]).collect();
        match send(&of_request) {
            Judged::Taken => places.iter().for_each(|place| fates[*place] = Some(Fate::Taken)),
            Judged::Some { refused, others_taken } if refused.iter().all(|(at, _)| *at < places.len()) => {
                for (at, says) in refused {
                    fates[places[at]] = Some(Fate::Refused(says));
                }
                places.retain(|place| fates[*place].is_none());
                if others_taken {
                    places.iter().for_each(|place| fates[*place] = Some(Fate::Taken));
                } else {
                    requests.push(places);
                }
            }
            Judged::Some { .. } => split(places, "refused it", &mut fates, &mut requests),
            Judged::Whole(says) => split(places, &says, &mut fates, &mut requests),
            Judged::Held(hold) => {
                held = Some(hold);
                break;
            }
        }
    }
    Delivered { fates: fates.into_iter().map_while(|fate| fate).collect(), held }
}

fn split(mut places: Vec<usize>, says: &str, fates: &mut [Option<Fate>], requests: &mut Vec<Vec<usize>>) {
    if let [alone] = places[..] {
        fates[alone] = Some(Fate::Refused(says.to_owned()));
        return;
    }
    let second = places.split_off(places.len() / 2);
    requests.push(second);
    requests.push(places);
}

#[cfg(test)]
mod tests {
    use muster_model::id::Identity;

    use super::*;

    fn parcels(count: usize) -> Vec<Parcel> {
        let parcel = |place| Parcel { place, identity: Identity(place as u128), body: vec![], letter: None };
        (0..count).map(parcel).collect()
    }

    /// A receiver that refuses requests with any of these, and holds up what comes after so many requests.
    fn against(count: usize, bad: &[usize], requests_max: usize) -> (Delivered, usize) {
        let mut requests = 0;
        let delivered = deliver(&parcels(count), |of_request| {
            requests += 1;
            if requests > requests_max {
                return Judged::Held(Hold::Told);
            }
            match of_request.iter().any(|parcel| bad.contains(&parcel.place)) {
                true => Judged::Whole("no".to_owned()),
                false => Judged::Taken,
            }
        });
        (delivered, requests)
    }

    fn refused(delivered: &Delivered) -> Vec<usize> {
        let is = |(place, fate): (usize, &Fate)| (*fate != Fate::Taken).then_some(place);
        delivered.fates.iter().enumerate().filter_map(is).collect()
    }

    #[test]
    fn the_ones_to_blame_are_found() {
        for bad in [&[][..], &[0], &[99], &[7, 8, 50], &[0, 99]] {
            let (delivered, requests) = against(100, bad, 1_000);
            assert_eq!((delivered.fates.len(), refused(&delivered)), (100, bad.to_vec()));
            assert!(requests <= 1 + 16 * bad.len(), "{requests}");
        }
        assert_eq!(refused(&against(3, &[0, 1, 2], 1_000).0), [0, 1, 2]);
        assert_eq!(against(0, &[], 0).0, Delivered { fates: vec![], held: None });
    }

    #[test]
    fn what_is_held_up_keeps_its_place() {
        for requests_max in 0..12 {
            let (delivered, _) = against(8, &[3], requests_max);
            let whole = delivered.held.is_none();
            assert_eq!(delivered.fates.len() == 8, whole, "{delivered:?}");
            assert!(refused(&delivered).iter().all(|place| *place == 3));
        }
    }

    #[test]
    fn others_are_sent_again_unless_they_were_taken() {
        for others_taken in [true, false] {
            let mut sent = Vec::new();
            let delivered = deliver(&parcels(4), |of_request| {
                sent.push(of_request.len());
                match of_request.iter().position(|parcel| parcel.place == 2) {
                    Some(at) => Judged::Some { refused: vec![(at, "no".to_owned())], others_taken },
                    None => Judged::Taken,
                }
            });
            assert_eq!(refused(&delivered), [2]);
            assert_eq!(sent, if others_taken { vec![4] } else { vec![4, 3] });
        }
        // Places that are not in the request mean nothing.
        let odd = deliver(&parcels(2), |_| Judged::Some { refused: vec![(9, "no".to_owned())], others_taken: true });
        assert_eq!(refused(&odd), [0, 1]);
    }
}
