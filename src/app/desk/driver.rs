//! The desk's task, and one small task for each thing it waits for.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Order, Room, Wait};
use crate::call::{Consulted, Verdict};
use crate::time::{Clock, sleep_until};

/// Keeps the desk open until nobody can reach it.
pub(super) fn open(
    mut room: Room,
    mut inbox: mpsc::Receiver<Order>,
    orders: mpsc::WeakSender<Order>,
    clock: Arc<dyn Clock>,
) {
    tokio::spawn(async move {
        loop {
            let deadline = room.queue.poll_timeout();
            let waits = tokio::select! {
                order = inbox.recv() => match order {
                    Some(order) => room.handle(order, clock.now()),
                    None => return,
                },
                () = sleep_until(deadline) => room.handle_timeout(clock.now()),
            };
            for wait in waits {
                // None: the house is closing, and nobody needs to be told.
                if let Some(orders) = orders.upgrade() {
                    attend(wait, orders);
                }
            }
        }
    });
}

/// Brings what happens there to the desk.
fn attend(wait: Wait, orders: mpsc::Sender<Order>) {
    tokio::spawn(async move {
        match wait {
            Wait::Guest(ticket, mut verdicts) => {
                while let Some(Verdict::Bridged) = verdicts.recv().await {}
                let _ = orders.send(Order::Leave(ticket)).await;
            }
            Wait::Telephone(ring, mut news) => {
                while let Some(told) = news.recv().await {
                    let over = matches!(told, Consulted::Over { .. });
                    if orders.send(Order::Rings(ring, told)).await.is_err() || over {
                        return;
                    }
                }
                let _ = orders.send(Order::Rings(ring, Consulted::Over { status: 500 })).await;
            }
        }
    });
}
