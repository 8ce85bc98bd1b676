"""Sample items, written for this project. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_SUPPORT = [
    ("My new card was sent two weeks ago and there is still nothing in the post.", "card_arrival", 0.41, [("card_delivery_cost", 0.22), ("card_activation", 0.12)]),
    ("I topped up this morning, the money left my other bank, and my balance here has not moved.", "balance_wrong", 0.38, [("top_up_failed", 0.35), ("incoming_transfer_pending", 0.14)]),
    ("Somebody paid 49.99 at a shop I have never heard of with my card!", "charge_unknown", 0.52, [("fraud_suspected", 0.33), ("card_lost_or_stolen", 0.06)]),
    ("The machine kept my card and I am abroad, what now?", "card_declined", 0.31, [("card_lost_or_stolen", 0.28), ("cash_withdrawal_unknown", 0.11)]),
    ("How do I get a paper for my tax return?", "statement_download", 0.44, [("tax_document", 0.42), ("interest_rate", 0.02)]),
    ("You charged me twice for the same coffee.", "charge_twice", 0.57, [("charge_unknown", 0.2), ("refund_request", 0.1)]),
    ("I moved to Lyon last week.", "address_change", 0.55, [("travel_notice", 0.24), ("account_opening", 0.03)]),
    ("Can my daughter, 15, have an account?", "account_opening", 0.43, [("age_limit", 0.39), ("joint_account", 0.09)]),
    ("Your app says my passport photo is not good enough, three times now.", "identity_check", 0.48, [("identity_check_failed", 0.41), ("app_login", 0.05)]),
    ("My salary should have come on Friday.", "transfer_time", 0.36, [("incoming_transfer_pending", 0.34), ("salary_split", 0.08)]),
    ("What does it cost to take out dollars in New York?", "cash_withdrawal_fee", 0.53, [("exchange_fee", 0.29), ("currency_rate", 0.1)]),
    ("Please stop the gym from taking money every month.", "direct_debit_unknown", 0.4, [("subscription_stop", 0.37), ("refund_request", 0.07)]),
    ("I changed my mind about the transfer to Peter, is it too late?", "transfer_cancel", 0.59, [("transfer_time", 0.2), ("refund_request", 0.04)]),
    ("It beeps and says no when I hold the card to the reader.", "contactless_fails", 0.46, [("card_declined", 0.4), ("card_limit", 0.05)]),
    ("The shop said the money is back, but I cannot see it.", "refund_missing", 0.58, [("refund_request", 0.21), ("incoming_transfer_pending", 0.12)]),
    ("Lost my phone, can someone get into my account?", "phone_lost", 0.54, [("fraud_suspected", 0.26), ("phone_change", 0.14)]),
    ("Is there a way to pay online without giving my real card?", "virtual_card", 0.5, [("card_design", 0.06), ("contactless_fails", 0.04)]),
    ("I want to speak to your manager, this is the fifth time.", "complaint", 0.49, [("refund_request", 0.12), ("account_closing", 0.11)]),
    ("Forgot the four digits of my card.", "card_pin_change", 0.47, [("card_pin_forgotten", 0.45), ("app_login", 0.03)]),
    ("Close my account and send what is left to my other bank.", "account_closing", 0.93, [("transfer_abroad", 0.02)]),
    ("Where is the nearest cash machine?", "atm_near_me", 0.95, []),
    ("Which rate do you use for euros to pounds?", "currency_rate", 0.88, [("exchange_fee", 0.08)]),
    ("How long does a transfer to Spain take?", "transfer_time", 0.81, [("transfer_abroad", 0.14)]),
    ("Download last year's statements", "statement_download", 0.9, [("tax_document", 0.06)]),
    ("I want to switch my card on", "card_activation", 0.86, [("card_arrival", 0.05)]),
]  # fmt: skip

_REPLIES = [
    ("Where is my card? It has been three weeks.", "We are sorry that your card is late. A new one is on its way and comes within five working days.", 0.62),
    ("You charged me twice!", "We see both payments. One of them is only reserved and falls away by itself; if it does not, we refund it within three days.", 0.81),
    ("Can I raise my card limit for a trip?", "Yes. Open the app, choose Cards, then Limits. The new limit works at once and for as long as you set.", 0.7),
    ("Why was my payment in Rome declined?", "Your card was blocked for your safety. Reply with your full card number and we unblock it.", 0.66),
    ("I cannot log in with my new phone.", "Please install the app, choose New phone, and follow the steps. Have your passport ready.", 0.73),
    ("How do I close my account?", "We are sad to see you go! Are you really, really sure?", 0.58),
    ("Do you cover my flight if I pay with the card?", "Yes, we guarantee that every flight is insured.", 0.6),
    ("The exchange rate looks wrong.", "We use the mid-market rate at the moment of your purchase, without a surcharge on weekdays.", 0.71),
    ("Please send me a tax document for 2025.", "You find it in the app under Documents, from the first of February.", 0.68),
    ("I sent money to the wrong person.", "A transfer that has arrived cannot be taken back by us. We ask the other bank on your behalf and tell you what they say.", 0.64),
    ("My daughter is 16, may she have a card?", "From 14 with the agreement of a parent. You can start in the app under Family.", 0.69),
    ("I was double billed by my gym.", "You can object to a direct debit within eight weeks. We refund it at once and tell the gym.", 0.77),
    ("Is my money safe with you?", "Deposits are protected by law up to 100,000 euros a person.", 0.74),
    ("Hello", "Hello! How can we help you today?", 0.97),
    ("Thanks, solved.", "Glad to hear it. Have a good day.", 0.96),
]  # fmt: skip

_INVOICES: list[tuple[Any, ...]] = [
    ("Nordlicht Papier", "2026-1187", "2026-10-02", "EUR", 118.4, [("Copy paper A4, 10 boxes", 89.5), ("Delivery", 28.9)], {"/total": 0.55, "/number": 0.97}, {"total": 113.4}),
    ("Harbour Tools Ltd", "HT-5521", "2026-09-30", "GBP", 642.0, [("Cordless drill", 219.0), ("Saw blades, set", 423.0)], {"/date": 0.42, "/supplier": 0.99}, {"date": "2026-09-03"}),
    ("Café Lumière", "77", "2026-10-11", "EUR", 54.2, [("Lunch, 4 persons", 54.2)], {"/supplier": 0.48, "/paid": 0.7}, {"supplier": "Cafe Lumiere S"}),
    ("Brightwater Energy", "BE/2026/10", "2026-10-01", "GBP", 1320.75, [("Electricity, September", 1290.75), ("Standing charge", 30.0)], {"/lines/1/amount": 0.39}, {}),
    ("Delta Cloud Inc.", "INV-90321", "2026-10-05", "USD", 6840.0, [("Compute", 6100.0), ("Storage", 740.0)], {"/total": 0.99}, {}),
    ("Müller & Söhne", "M-204", "2026-08-17", "EUR", 980.0, [("Repair of the roof", 980.0)], {"/number": 0.51, "/total": 0.9}, {"number": "M-2O4"}),
    ("Greenfield Seeds", "4410", "2026-07-21", "USD", 212.1, [("Seed mix 20 kg", 180.0), ("Freight", 32.1)], {"/currency": 0.44}, {"currency": "EUR"}),
    ("Studio Okapi", "2026-031", "2026-10-09", "EUR", 2400.0, [("Logo and stationery", 2400.0)], {"/date": 0.58, "/paid": 0.41}, {"paid": True}),
    ("Paper Planes Travel", "PPT-8812", "2026-10-13", "EUR", 431.6, [("Train Berlin–Zürich", 268.8), ("Hotel, 1 night", 162.8)], {"/total": 0.61}, {"total": 413.6}),
    ("North Quay Logistics", "NQ-1009", "2026-10-02", "GBP", 88.0, [("Pallet storage", 88.0)], {"/lines/0/what": 0.5}, {}),
    ("Atlas Cleaning", "A-77120", "2026-10-14", "EUR", 375.0, [("Windows, October", 375.0)], {"/number": 0.66, "/date": 0.72}, {"number": "A-7712O"}),
    ("Riverside Print", "RP-330", "2026-10-15", "GBP", 149.99, [("Flyers, 2,000", 129.99), ("Proof", 20.0)], {"/total": 0.35}, {"total": 149.9}),
    ("Solaris Optics", "SO-5", "2026-10-16", "USD", 15250.0, [("Lens array", 15250.0)], {"/total": 0.98}, {}),
    ("Kiosk 24", "9", "2026-10-18", "EUR", 12.5, [("Newspapers", 12.5)], {"/total": 0.97, "/date": 0.96}, {}),
]  # fmt: skip


def support() -> Iterator[dict[str, Any]]:
    """Items of `support-intents`."""
    for number, (text, label, confidence, alternatives) in enumerate(_SUPPORT, start=1):
        yield {
            "queue": "support-intents", "external_id": f"chat-{number:04}", "confidence": confidence,
            "input": {"text": text, "channel": "chat" if number % 3 else "e-mail"}, "output": {"label": label},
            "alternatives": [{"output": {"label": other}, "confidence": share} for other, share in alternatives],
            "risk": "high" if label in {"fraud_suspected", "charge_unknown"} else "low",
            "model": "intents", "model_version": "2026-11", "metadata": {"language": "English"},
        }  # fmt: skip


def replies() -> Iterator[dict[str, Any]]:
    """Items of `reply-drafts`."""
    for number, (question, reply, confidence) in enumerate(_REPLIES, start=1):
        yield {
            "queue": "reply-drafts", "external_id": f"mail-{number:04}", "confidence": confidence,
            "input": {"question": question, "tone": "friendly"}, "output": {"reply": reply},
            "model": "writer", "model_version": "3", "prompt_version": "p12", "latency_ms": 840,
        }  # fmt: skip


def invoices() -> Iterator[dict[str, Any]]:
    """Items of `invoices`; `misread` is what the model got wrong."""
    for number, (supplier, code, date, currency, total, lines, doubts, misread) in enumerate(_INVOICES, start=1):
        page = [supplier, f"Invoice no. {code}", f"Date {date}", ""]
        page += [f"{what:32}{amount:>12.2f}" for what, amount in lines]
        page += ["", f"{'Total ' + currency:32}{total:>12.2f}", "Please pay within 14 days."]
        output = {
            "supplier": supplier, "number": code, "date": date, "currency": currency, "total": total, "paid": False,
            "note": None, "lines": [{"what": what, "amount": amount} for what, amount in lines], **misread,
        }  # fmt: skip
        yield {
            "queue": "invoices", "external_id": f"inv-{number:04}", "input": {"page": "\n".join(page)}, "output": output,
            "parts": [{"pointer": pointer, "confidence": confidence} for pointer, confidence in doubts.items()],
            "confidence": min(doubts.values()), "model": "invoice-reader", "model_version": "1.4",
        }  # fmt: skip
