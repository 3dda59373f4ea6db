"""Writes orders.jsonl: the orders of a day at a small shop, one `order.placed` event a line.

    python examples/orders.py [PATH]

The same bytes every time. Among 300 orders, 18 are paid with a card that will be declined (its token begins with
`tok_declined_`), and 15 events stand in the file twice, the second time some lines later, as from a web shop whose
first try timed out: same event id, same bytes. People, streets and cards are made up.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

SEED = 8288
ORDERS = 300
CUSTOMERS = 170
DECLINED = 18
REPEATED = 15


@dataclass(frozen=True, slots=True)
class Country:
    """Where customers live.

    `rate` is the price of one euro in minor units of the currency, `minor` how many of them make one unit. The rest
    are lists with commas; a place is a postcode, a bar and a city.
    """

    code: str
    currency: str
    rate: int
    minor: int
    first: str
    last: str
    streets: str
    places: str


COUNTRIES = [
    Country(
        "DE", "EUR", 100, 100,
        "Anna,Lukas,Jürgen,Sophie,Emre,Mia,Jonas,Käthe", "Müller,Schmidt,Yılmaz,Großmann,Weber,Fischer",
        "Lindenstraße,Am Mühlbach,Goethestraße,Bahnhofstraße", "10115|Berlin,80331|München,04109|Leipzig,50667|Köln",
    ),
    Country(
        "FR", "EUR", 100, 100,
        "Chloé,François,Amélie,Hugo,Inès,Noël", "Lefèvre,Martin,Dubois,N'Diaye,Bénard",
        "rue des Lilas,avenue Victor-Hugo,rue du Moulin", "75011|Paris,69002|Lyon,44000|Nantes,13006|Marseille",
    ),
    Country(
        "NL", "EUR", 100, 100,
        "Zoë,Daan,Fleur,Jeroen,Saskia", "van der Meer,de Vries,Bakker,Jansen,'t Hooft",
        "Prinsengracht,Dorpsstraat,Nieuwe Kerkweg", "1016 GV|Amsterdam,3511 LX|Utrecht,9711 LM|Groningen",
    ),
    Country(
        "GB", "GBP", 86, 100,
        "Oliver,Amelia,Siobhán,Harry,Priya,Isla", "O'Brien,Smith,Patel,Jones,Fitzgerald-Hughes",
        "High Street,Mill Lane,Church Road", "SW1A 1AA|London,M1 1AE|Manchester,EH1 1YZ|Edinburgh,LS1 4DY|Leeds",
    ),
    Country(
        "US", "USD", 109, 100,
        "Emily,Jacob,María,DeShawn,Hannah,Wei", "Johnson,García,Nguyen,Williams,McAllister,Chen",
        "Maple Avenue,2nd Street,Elm Court Apt 4B",
        "97201|Portland OR,60601|Chicago IL,78701|Austin TX,11201|Brooklyn NY",
    ),
    Country(
        "SE", "SEK", 1130, 100,
        "Åsa,Björn,Elin,Nils,Linnéa", "Lindström,Åkesson,Öberg,Svensson",
        "Storgatan,Kungsgatan,Björkvägen", "111 22|Stockholm,411 03|Göteborg,211 22|Malmö",
    ),
    Country(
        "PL", "PLN", 430, 100,
        "Łukasz,Agnieszka,Paweł,Małgorzata,Zofia", "Wiśniewski,Nowak,Wójcik,Dąbrowska",
        "ul. Długa,ul. Świętojańska,al. Jerozolimskie", "00-001|Warszawa,31-042|Kraków,80-831|Gdańsk",
    ),
    Country(
        "JP", "JPY", 162, 1,
        "陽菜,蓮,Yuki,Haruto,美咲", "佐藤,Tanaka,鈴木,Watanabe",
        "Jingumae 3-chome,Nishiki 2-chome,Umeda 1-chome", "150-0001|Tokyo,460-0003|Nagoya,530-0001|Osaka",
    ),
]  # fmt: skip

# sku, name, euro cents
CATALOGUE = [
    ("KETTLE-17", "Enamel kettle, 1.7 l", 4990),
    ("MUG-STONE-S", "Stoneware mug, small", 1250),
    ("MUG-STONE-L", "Stoneware mug, large", 1690),
    ("TEA-SENCHA-100", "Sencha, 100 g", 1180),
    ("TEA-ASSAM-250", "Assam, 250 g", 1420),
    ("COFFEE-HUILA-1K", "Coffee from Huila, 1 kg", 2890),
    ("GRINDER-HAND", "Hand grinder, steel burrs", 8900),
    ("FILTER-PAPER-80", "Paper filters, 80", 450),
    ("APRON-LINEN-NVY", "Linen apron, navy", 3900),
    ("BOARD-OAK-40", "Oak chopping board, 40 cm", 5450),
    ("KNIFE-PARING", "Paring knife", 2350),
    ("SCALE-01G", "Scale, 0.1 g", 3490),
]

PAYMENT_NETWORKS = ["visa", "mastercard", "amex"]
NOTES = ["Please leave with the neighbour at no. 7.", "It's a gift – no invoice in the box, thanks! 🎁", "Ring twice."]
MINUTES = 24 * 60


def main() -> None:
    """Write the file, beside this script unless a path is given."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("orders.jsonl")
    path.write_bytes("".join(map(line, events(Random(SEED)))).encode())


def line(event: dict[str, Any]) -> str:
    """The event as one line of JSON."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n"


def events(random: Random) -> list[dict[str, Any]]:
    """The events in the order in which they arrive, repeats included."""
    customers = [customer(random) for _ in range(CUSTOMERS)]
    declined = set(random.sample(range(ORDERS), DECLINED))
    placed = [order_placed(random, number, customers, number in declined) for number in range(ORDERS)]
    return repeat_some(random, placed)


def repeat_some(random: Random, placed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events with REPEATED of them once more, 1 to 25 orders after the first time."""
    again: dict[int, list[dict[str, Any]]] = {}
    for number in random.sample(range(ORDERS), REPEATED):
        again.setdefault(min(number + random.randint(1, 25), ORDERS - 1), []).append(placed[number])
    return [event for number, first in enumerate(placed) for event in [first, *again.get(number, [])]]


def customer(random: Random) -> tuple[Country, dict[str, Any], dict[str, Any]]:
    """A customer: country, the person, and where parcels go."""
    country = random.choices(COUNTRIES, [30, 14, 12, 14, 12, 7, 7, 4])[0]
    name = f"{pick(random, country.first)} {pick(random, country.last)}"
    mailbox = f"{ascii_of(name) or 'customer'}{random.choice(['', '', random.randint(1, 99)])}"
    person = {
        "id": f"cus_{random.getrandbits(40):010x}",
        "name": name,
        "email": f"{mailbox}@example.{random.choice(['com', 'org', 'net'])}",
    }
    postcode, city = pick(random, country.places).split("|")
    street = f"{pick(random, country.streets)} {random.randint(1, 180)}"
    return country, person, {"street": street, "postcode": postcode, "city": city, "country": country.code}


def order_placed(
    random: Random, number: int, customers: list[tuple[Country, dict[str, Any], dict[str, Any]]], declined: bool
) -> dict[str, Any]:
    """The event of one order."""
    # The lesser of two: some customers come back often, most come once.
    country, person, address = customers[min(random.randrange(CUSTOMERS), random.randrange(CUSTOMERS))]
    items = [
        item(random, country, *article) for article in random.sample(CATALOGUE, random.choice([1, 1, 1, 2, 2, 3, 4]))
    ]
    method, cost = random.choice([("standard", 490), ("standard", 490), ("express", 1290), ("pickup", 0)])
    shipping = cost * country.rate // 100
    total = shipping + sum(each["qty"] * each["price"] for each in items)
    minute = number * MINUTES // ORDERS + random.randint(0, 4)
    order = f"SW-{10_000 + number}"
    data = {
        "id": order,
        "placed_at": f"2026-03-14T{minute // 60:02}:{minute % 60:02}:{random.randint(0, 59):02}Z",
        "customer": person,
        "items": [each | {"price": money(country, each["price"])} for each in items],
        "shipping": {"method": method, "cost": money(country, shipping)},
        "total": money(country, total),
        "currency": country.currency,
        "card": card(random, declined),
        "address": address,
        "note": random.choice(NOTES) if random.random() < 0.15 else None,
    }
    return {"name": "order.placed", "id": f"{order}-placed", "data": data}


def item(random: Random, country: Country, sku: str, name: str, cents: int) -> dict[str, Any]:
    """A line of an order, its price in minor units."""
    return {"sku": sku, "name": name, "qty": random.choice([1, 1, 1, 2, 2, 3, 6]), "price": cents * country.rate // 100}


def card(random: Random, declined: bool) -> dict[str, str]:
    """What a payment provider hands to a shop instead of a card number."""
    network = random.choice(PAYMENT_NETWORKS)
    token = f"tok_{'declined' if declined else network}_{random.getrandbits(64):016x}"
    return {"token": token, "network": network, "last4": f"{random.randint(0, 9999):04}"}


def money(country: Country, minor: int) -> int | float:
    """Minor units as an amount; a whole number where the currency has no smaller unit."""
    return minor if country.minor == 1 else minor / country.minor


def pick(random: Random, listed: str) -> str:
    """One of the words between commas."""
    return random.choice(listed.split(","))


def ascii_of(name: str) -> str:
    """The name as it stands in mail addresses: "Łukasz Öberg" becomes "lukasz.oberg"."""
    replaced = name.replace("ß", "ss").translate(str.maketrans("łŁı ", "lLi."))
    plain = unicodedata.normalize("NFKD", replaced)
    return "".join(sign for sign in plain if sign.isascii() and (sign.isalnum() or sign == ".")).lower().strip(".")


if __name__ == "__main__":
    main()
