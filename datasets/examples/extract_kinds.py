"""The kinds of sentence: for each the answer's fields, and the shapes that its sentences take.

A pattern stands for several shapes: `[a|b|]` offers alternatives (the last one here is empty), `{field}` is a gap. An answer
holds the fields in the order of `fields`; a field whose name ends in `?` is left out where the sentence does not say it.
A dict of fields is a nested object. Patterns of `held_out` are met in the evaluation split only.
"""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List

from extract_slots import EVAL, TRAIN, count, date, goods, labels, money, names, reference_number, time, weekday


@dataclass(frozen=True)
class Kind:
    name: str
    fields: Dict[str, Any]
    train: List[str]
    held_out: List[str]
    agrees: Callable[[Dict[str, Any]], bool] = lambda values: True  # whether the drawn values make sense together


PERSON = names({
    TRAIN: "Anna, Ben, Carla, David, Emma, Frank, Grace, Henry, Iris, Jack, Kate, Leo, Maria, Nina, Oscar, Paul, Rosa, Sam, "
           "Tina, Victor, Wendy, Alice, Bob, Clara, Daniel, Eva, Fred, George, Helen, Ivan, Julia, Kevin, Laura, Mark, Nora, "
           "Peter, Rachel, Simon, Susan, Thomas, Walter, Amy, Brian, Diana, Eric, Fiona, Hugo, Jane, Karl, Lucy, Max, Olga, "
           "Philip, Ruth, Stefan, Mr Hill, Ms Young, Mrs Baker, Mr Wood, Ms King, Dr Stone",
    EVAL: "Adam, Betty, Chris, Dora, Edward, Gloria, Harry, Jenny, Linda, Martin, Monica, Nick, Oliver, Robert, Sarah, Tom, "
          "Vera, William, Mr Green, Ms Carter, Mrs Fox, Dr Lane",
})
PROFESSION = names({
    TRAIN: "dentist, doctor, lawyer, barber, banker, teacher, plumber, painter, nurse, eye doctor, tax adviser, "
           "school principal, landlord, mechanic, massage therapist, bank manager, piano teacher, surgeon",
    EVAL: "accountant, vet, tailor, electrician, gardener, carpenter, skin doctor, dance teacher, hairdresser",
})
PRODUCT = names({
    TRAIN: "kettle, toaster, lamp, phone, laptop, printer, camera, radio, heater, fan, vacuum cleaner, coffee machine, "
           "blender, desk, chair, mattress, bike, scooter, watch, keyboard, monitor, speaker, tent, jacket, suitcase, mirror, "
           "drill, lawn mower, oven, fridge",
    EVAL: "mixer, tablet, freezer, microwave, sofa, dishwasher, headset, rice cooker, bookshelf, backpack, guitar, raincoat",
})
STREET = names({
    TRAIN: "Oak Street, Mill Road, High Street, Park Avenue, Church Lane, Station Road, King Street, Garden Road, Hill Street, "
           "River Lane, Market Street, School Road, Bridge Street, Forest Avenue, Castle Road, North Street, Lake Road",
    EVAL: "Elm Street, Harbor Road, Queen Street, Valley Lane, South Avenue, Tower Road, Rose Lane",
})
VENUE = names({
    TRAIN: "Golden Lion, Blue Door, Red Dragon, Casa Rosa, Green Garden, Silver Spoon, Little Italy, Old Mill, Sea Star, "
           "Bella Vita, White Horse, Black Swan, Lucky Fish, Sunset Grill, Corner House, Happy Pig, Royal Oak, La Luna",
    EVAL: "Rusty Anchor, Brown Bear, Villa Verde, Purple Onion, Stone Bridge, Wild Rose, Hungry Wolf",
})
BOUGHT = names({
    TRAIN: "taxi, lunch, dinner, parking, hotel, train ticket, printer paper, coffee, petrol, phone bill, office chair, "
           "team breakfast, bus pass, postage, toner, flowers, cleaning, software licence, bike repair, museum visit, rental car",
    EVAL: "ferry ticket, snacks, electricity bill, desk lamp, toll, client gift, laundry, workshop, van repair",
})
ERRANDS = {
    TRAIN: {"call": "bank, plumber, landlord, school, neighbours, clinic", "pay": "rent, gas bill, phone bill, car tax",
            "clean": "kitchen, garage, windows, fridge, bathroom", "feed": "cat, fish, birds", "water": "plants, roses, lawn",
            "collect": "parcel, keys, tickets, new glasses", "book": "hotel, babysitter, piano lesson", "wash": "car, curtains",
            "check": "oven, heating, mailbox, tyres", "take out": "bins, recycling"},
    EVAL: {"phone": "insurance, dentist, library, vet", "sweep": "balcony, stairs, yard", "fix": "tap, door handle, bike",
           "empty": "dishwasher, attic, compost", "return": "drill, library books", "walk": "dog"},
}
ERRAND = names({split: ", ".join(f"{verb} the {thing.strip()}" for verb, things in errands.items() for thing in things.split(","))
                for split, errands in ERRANDS.items()})
MATERIAL = names({
    TRAIN: "paint, flour, rice, sugar, cement, sand, coffee, tea, apples, tiles, nails, screws, paper, soap, milk, water, honey, "
           "salt, oil, glue, candles, potatoes",
    EVAL: "gravel, beans, lentils, bolts, juice, pasta, onions, varnish, pears",
})
STORE = names({
    TRAIN: "cellar, shop, warehouse, depot, kitchen, garage, workshop, yard, north store, south store, truck, back room, hall, "
           "main office, harbour",
    EVAL: "basement, barn, east store, market, factory, side room, van",
})
CITY = names({
    TRAIN: "Paris, Rome, Berlin, Madrid, London, Vienna, Prague, Oslo, Lisbon, Dublin, Milan, Munich, Hamburg, Lyon, Athens, "
           "Warsaw, Boston, Chicago, Denver, Dallas, Tokyo, Geneva, Florence, Cologne, Bristol, Leeds",
    EVAL: "Venice, Zurich, Brussels, Stockholm, Naples, Seattle, Glasgow, Budapest, Nice, Oxford",
})
ROLE = names({
    TRAIN: "cook, waiter, driver, cashier, cleaner, guard, host, receptionist, nurse, porter",
    EVAL: "barista, baker, gardener, librarian, lifeguard",
})
PAYMENT = labels({"card": ["by card", "with a card"], "cash": ["in cash", "cash"], "transfer": ["by bank transfer"],
                  "invoice": ["by invoice", "on invoice"]})
PROBLEM = labels({
    "damaged": ["arrived broken", "came in pieces", "has a big crack"],
    "missing": ["never arrived", "has not come yet", "is still missing"],
    "defective": ["stopped working", "does not turn on", "is dead"],
    "wrong": ["is the wrong colour", "is not the one I chose", "is the wrong size"],
})
REMEDY = labels({"refund": ["a refund", "my money back"], "replacement": ["a replacement", "a new one"], "repair": ["a repair"]})
HALF_DAY = labels({"morning": ["in the morning", "before noon"], "afternoon": ["in the afternoon", "after lunch"],
                   "evening": ["in the evening", "after work"]})
SEAT = labels({"window": ["by the window", "near the window"], "terrace": ["on the terrace"], "bar": ["at the bar"],
               "garden": ["in the garden"]})
REPEAT = labels({"weekly": ["every", "each"], "biweekly": ["every other", "every second"]})
UNIT = labels({"box": ["boxes"], "bag": ["bags"], "crate": ["crates"], "pallet": ["pallets"], "barrel": ["barrels"],
               "can": ["cans"], "sack": ["sacks"]})
MODE = labels({"train": ["by train", "by rail"], "flight": ["by plane", "by air"], "bus": ["by bus", "by coach"],
               "ferry": ["by ferry", "by boat"]})
TRAVEL_CLASS = labels({"first": ["in first class", "first class"], "second": ["in second class", "second class"],
                       "business": ["in business class", "business class"]})

KINDS = [
    Kind(
        "order",
        {"items": goods(), "customer?": PERSON, "pay?": PAYMENT},
        train=[
            "[I'd like|I would like|I want|I need] {items}[| for {customer}][|, please].",
            "[Please send|Please ship|Send] {customer} {items}.",
            "{items} for {customer}[|, please|, paying {pay}].",
            "[Can|Could] [I|we] [get|have] {items}[|, paying {pay}]?",
            "Put {customer} down for {items}[|, {pay}].",
            "{customer} [orders|wants|would like] {items}[|, paid {pay}| and pays {pay}].",
            "[New order|Order] [from|by] {customer}: {items}[|, {pay}].",
            "Add {items} to {customer}'s order[|, {pay}].",
            "[Hi|Hello], {customer} here, I [need|want|take] {items}[|, paid {pay}].",
            "[Order|Get|Buy] {items}[| for {customer}][|, {pay}].",
            "Paid {pay}: {items}[| for {customer}].",
        ],
        held_out=[
            "[My name is|This is] {customer} and I'm ordering {items}[|, {pay}].",
            "[Let me have|Please give me] {items}[|, payment {pay}].",
            "For {customer}: {items}[|, to be paid {pay}].",
            "{customer} [just asked for|has ordered] {items}[|, {pay}].",
            "Would you [pack|prepare] {items} for {customer}[|, please]?",
        ],
    ),
    Kind(
        "appointment",
        {"with": PROFESSION, "when": {"date": date(), "time": time(8, 18)}, "for?": PERSON},
        train=[
            "[Book|Make|Arrange] an appointment with the {with} [on|for] {date} at {time}[| for {for}].",
            "I [need|want|have] to see the {with} on {date} at {time}.",
            "{for} [sees|has to see|is seeing] the {with} at {time} on {date}.",
            "[Appointment|Visit]: {with}, {date}, {time}[|, for {for}].",
            "[Can|Could] {for} see the {with} on {date} at {time}?",
            "On {date} at {time} [I|we] [have|need] an appointment with the {with}.",
            "The {with} [expects|will see] {for} at {time} on {date}.",
            "[Please put|Put] {for} down with the {with} for {date} at {time}.",
            "[Is the {with} free|Does the {with} have time] on {date} at {time}[| for {for}]?",
            "{date}, {time}: {with}[| for {for}].",
            "My {with} appointment is [|now ]on {date} at {time}.",
        ],
        held_out=[
            "[Get me in|Fit me in] with the {with} at {time} on {date}.",
            "{for}'s appointment with the {with} is on {date} at {time}.",
            "At {time} on {date} {for} [goes to|meets] the {with}.",
            "Would the {with} be able to see {for} on {date} at {time}?",
            "[I was hoping|I'd like] to see the {with}, best on {date} at {time}.",
        ],
    ),
    Kind(
        "complaint",
        {"product": PRODUCT, "problem": PROBLEM, "order?": reference_number(), "want?": REMEDY},
        agrees=lambda v: (v["problem"], v.get("want")) != ("missing", "repair"),
        train=[
            "The {product} [from|in] order {order} {problem}[|, I want {want}].",
            "[My|Our] {product} {problem}[|. I want {want}|, I'd like {want}].",
            "Order {order}: the {product} {problem}[|, {want} please].",
            "[Hello|Hi], the {product} I [bought|ordered] {problem}[| and I'd like {want}].",
            "I'm [unhappy|not happy], the {product} {problem}[|, order {order}].",
            "Complaint about order {order}, the {product} {problem}[|, please arrange {want}].",
            "[I want|I'd like] {want} because the {product} {problem}.",
            "[Sorry, but|Sadly] the {product} {problem}[|, we'd like {want}].",
            "It's about order {order}. [The|My] {product} {problem}.",
            "The {product} {problem}. [My order is|That was order] {order}[|, I want {want}].",
            "I need {want}, the {product} {problem}[|, order {order}].",
        ],
        held_out=[
            "[What a shame|Very disappointing], the {product} {problem}[|, order number {order}].",
            "I must complain: the {product} {problem}[| and I expect {want}].",
            "Regarding order {order}: my {product} {problem}[|, so I'd like {want}].",
            "Can I have {want}? The {product} {problem}[|, order {order}].",
            "Your {product} {problem}[|, and I insist on {want}].",
        ],
    ),
    Kind(
        "delivery",
        {"order": reference_number(), "to?": {"number": count(1, 99), "street": STREET}, "date?": date(), "slot?": HALF_DAY},
        train=[
            "[Please deliver|Deliver] order {order} to {number} {street}[| instead][|, {slot}].",
            "[Change|Move|Switch] the delivery of order {order} to {date}[|, {slot}].",
            "Order {order} should [go|come] to {number} {street}[| on {date}].",
            "Can [you bring|I get] order {order} on {date}[| {slot}]?",
            "[We've moved|I've moved|New address], [send|bring] order {order} to {number} {street}.",
            "[I'm away|Not home], please bring order {order} on {date} {slot}.",
            "Delivery {order}: new date {date}[|, {slot}].",
            "Delivery {order}: new address {number} {street}[|, {slot}].",
            "[Bring|Drop] order {order} at {number} {street} {slot}.",
            "[I|We] can only take order {order} {slot}[| on {date}].",
            "Order {order} is going to {number} {street} [now|from now on][|, {slot}].",
        ],
        held_out=[
            "[Reroute|Redirect] order {order} to {number} {street}[|, {slot}].",
            "[Could|Would] you postpone order {order} until {date}[|, {slot}]?",
            "I will be at {number} {street}, so take order {order} there[| {slot}].",
            "On {date} someone is home {slot}, please bring order {order} then.",
            "Order {order} is mine, [please leave it at|it has to go to] {number} {street}.",
        ],
    ),
    Kind(
        "reservation",
        {"venue": VENUE, "people": count(2, 12), "when": {"day": weekday(), "time": time(12, 21)}, "seat?": SEAT},
        train=[
            "[Book|Reserve] a table for {people} at {venue} on {day} at {time}[|, {seat}].",
            "Table for {people}, {venue}, {day} {time}[|, {seat}].",
            "We are {people} and [want|would like] to eat at {venue} on {day} at {time}[|, {seat}].",
            "[Can|Could] {venue} [take|seat] {people} of us on {day} at {time}[|, {seat}]?",
            "{venue}, {day} at {time}, {people} [people|guests][|, {seat}].",
            "On {day} we'd like to eat at {venue}, {people} [people|persons], at {time}.",
            "[Is there|Do you have] a table {seat} at {venue} for {people} on {day} at {time}?",
            "[Lunch|Dinner|A meal] at {venue} for {people} on {day}, {time}.",
            "[Please hold|Hold] {people} seats {seat} at {venue}, {day} at {time}.",
            "{people} of us [are going|are coming] to {venue} at {time} on {day}.",
            "My [party|group] of {people} [wants|needs] {venue} for {day} at {time}[|, {seat}].",
        ],
        held_out=[
            "[Get us|Find us] a table {seat} at {venue} at {time} on {day}, we'll be {people}.",
            "{day} at {time} at {venue}, a party of {people}[|, {seat}].",
            "There will be {people} of us at {venue} on {day} at {time}[|, if possible {seat}].",
            "[I want to|I'd like to] reserve at {venue} for {people} [people|guests] on {day} at {time}[|, {seat}].",
            "At {venue}, please keep a table for {people} on {day} at {time}.",
        ],
    ),
    Kind(
        "expense",
        {"item": BOUGHT, "cost": money(), "date?": date(), "by?": PERSON},
        train=[
            "[I|We] paid {cost} for the {item}[| on {date}].",
            "{by} [paid|spent] {cost} [for|on] the {item}[| on {date}].",
            "[Expense|Claim]: {item}, {cost}[|, {date}][|, {by}].",
            "The {item} [cost|came to|was] {cost}[|, paid by {by}].",
            "Please [refund|reimburse] {by} {cost} for the {item}[| of {date}].",
            "{cost} for the {item}[|, {by} paid].",
            "[Note|Book] {cost} for the {item} on {date}.",
            "On {date} [I|we|{by}] paid {cost} for the {item}.",
            "[Receipt|Bill] for the {item}: {cost}[|, dated {date}].",
            "{item} {cost}[|, {date}].",
            "{by} bought the {item} [for|at] {cost}[| on {date}].",
        ],
        held_out=[
            "I [had to pay|have paid] {cost} for the {item}[| on {date}].",
            "{by} gave {cost} for the {item}[| on {date}].",
            "{date}: the {item} for {cost}[|, paid for by {by}].",
            "[We owe|We still owe] {by} {cost} for the {item}.",
            "Add the {item} to my expenses, {cost}[|, from {date}].",
        ],
    ),
    Kind(
        "reminder",
        {"task": ERRAND, "at": {"day": weekday(), "time?": time(7, 21)}, "repeat?": REPEAT},
        train=[
            "Remind me to {task} on {day}[| at {time}].",
            "[Don't let me forget|I must not forget] to {task} on {day}[| at {time}].",
            "{repeat} {day} at {time} I [must|have to] {task}.",
            "I [must|have to|need to] {task} {repeat} {day}[| at {time}].",
            "[Note|To do]: {task}, {day}[| at {time}].",
            "On {day} at {time} [I must|remind me to|I have to] {task}.",
            "[Ping|Remind] me {repeat} {day}[| at {time}] to {task}.",
            "[Set|Make] a reminder for {day}[| at {time}]: {task}.",
            "{repeat} {day}: {task}[|, {time}].",
            "Please [tell|remind] me to {task} at {time} on {day}.",
            "{task} {repeat} {day}[| at {time}], please remind me.",
        ],
        held_out=[
            "[Make sure that I|See that I] {task} on {day}[| at {time}].",
            "At {time} on {day} I [should|ought to] {task}.",
            "[Alert|Call] me {repeat} {day} at {time}, I have to {task}.",
            "It's my job to {task} {repeat} {day}[| at {time}].",
            "For {day}[| at {time}], write down: {task}.",
        ],
    ),
    Kind(
        "stock",
        {"item": MATERIAL, "qty": count(2, 60), "unit": UNIT, "move": {"from?": STORE, "to?": STORE}},
        agrees=lambda v: v.get("from") != v.get("to"),
        train=[
            "[Move|Bring|Take] {qty} {unit} of {item} from the {from} to the {to}.",
            "[We received|We got] {qty} {unit} of {item} [at|in] the {to}.",
            "{qty} {unit} of {item} [left|went out of] the {from}.",
            "[Take|Remove] {qty} {unit} of {item} [out of|from] the {from}.",
            "{qty} {unit} of {item} went [|from the {from} ]to the {to}.",
            "The {to} [needs|gets|receives] {qty} {unit} of {item}[| from the {from}].",
            "[Stock|Inventory]: {qty} {unit} of {item}, {from} to {to}.",
            "The {from} [sent|sends] {qty} {unit} of {item}[| to the {to}].",
            "From the {from}, [send|ship] {qty} {unit} of {item} to the {to}.",
            "[Store|Put] {qty} {unit} of {item} in the {to}.",
            "{qty} {unit} of {item} came into the {to}[| from the {from}].",
        ],
        held_out=[
            "[Transfer|Carry] {qty} {unit} of {item} from the {from} into the {to}.",
            "We [unloaded|stacked] {qty} {unit} of {item} at the {to}.",
            "The {to} took {qty} {unit} of {item} from the {from}.",
            "There are {qty} {unit} of {item} [going|on the way] from the {from} to the {to}.",
            "To the {to}: {qty} {unit} of {item}[|, from the {from}].",
        ],
    ),
    Kind(
        "trip",
        {"mode": MODE, "route": {"from": CITY, "to": CITY}, "date": date(), "people?": count(2, 9), "class?": TRAVEL_CLASS},
        agrees=lambda v: v["from"] != v["to"],
        train=[
            "[I travel|I go|We travel] from {from} to {to} {mode} on {date}[|, {class}].",
            "[Book|Get] {people} [seats|tickets] from {from} to {to} {mode} on {date}.",
            "{from} to {to} {mode}, {date}[|, {class}].",
            "On {date} [we|I] [go|travel] {mode} from {from} to {to}[|, {class}].",
            "[I need|We need] to be in {to} on {date}, coming from {from} {mode}.",
            "Trip {mode}: {from} to {to}, {date}[|, {people} people].",
            "{people} of us [go|travel] {mode} from {from} to {to} on {date}.",
            "How do I get to {to} from {from} {mode} on {date}?",
            "[Travel|A trip] to {to} from {from} {mode} on {date}[|, {class}].",
            "{people} people to {to} from {from}, {mode}, {date}[|, {class}].",
            "From {from} [I|we] [go|want] to {to} on {date} {mode}[|, {class}].",
        ],
        held_out=[
            "[Get us|Take us] {mode} from {from} to {to} on {date}, we are {people}.",
            "[Leaving|Departing from] {from} for {to} {mode} on {date}[|, {class}].",
            "Travelling {mode} on {date}: {from} to {to}[|, {class}].",
            "I want to [leave|depart from] {from} on {date} and reach {to} {mode}[|, {class}].",
            "We're {people} going to {to} {mode} from {from} on {date}.",
        ],
    ),
    Kind(
        "shift",
        {"who": PERSON, "role?": ROLE, "day": weekday(), "hours": {"start": time(6, 14), "end": time(11, 22)}},
        agrees=lambda v: int(v["start"][:2]) + 3 <= int(v["end"][:2]),
        train=[
            "{who} works on {day} from {start} to {end}[| as {role}].",
            "[Put|Schedule] {who} on {day}, {start} to {end}[|, as {role}].",
            "On {day} {who} [is on|has a shift] from {start} [to|until] {end}.",
            "{day}: {who}, {start} to {end}[|, {role}].",
            "[Can|Could] {who} [work|be here] on {day} from {start} to {end}[| as {role}]?",
            "We need {who} [as {role} |]on {day} from {start} to {end}.",
            "[Shift|Rota]: {who}, {day}, {start} to {end}[|, {role}].",
            "{who} [starts|begins] at {start} on {day} and [stops|finishes] at {end}.",
            "From {start} to {end} on {day} {who} [works|is on duty][| as {role}].",
            "The {day} shift from {start} to {end} [goes to|is for] {who}.",
            "As {role}, {who} works from {start} [to|until] {end} on {day}.",
        ],
        held_out=[
            "[Give|Assign] {who} the {day} shift, {start} to {end}[|, as {role}].",
            "{who} will be [working|in] from {start} until {end} on {day}[| as {role}].",
            "On {day}, {start} to {end}, our {role} is {who}.",
            "{who} [takes over|comes in] at {start} on {day} and leaves at {end}.",
            "Please have {who} in on {day} between {start} and {end}.",
        ],
    ),
]
