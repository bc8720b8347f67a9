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
    TRAIN: "Anna, Ben, Carl, David, Emma, Frank, Grace, Henry, Iris, Jack, Kate, Leo, Maria, Nina, Oscar, Paul, Rose, "
           "Sam, Tina, Victor, Alice, Bob, Clara, Daniel, Eva, Fred, George, Helen, Ivan, Julia, Kevin, Laura, Mark, "
           "Nora, Peter, Rachel, Simon, Susan, Thomas, Walter, Amy, Brian, Diana, Eric, Jane, Lucy, Max, Philip, Ruth, "
           "Stefan, Margaret, Joe, Mike, Dave, Roy, Alan, Ian, Carol, Lisa, Karen, Nancy, Charlotte, Claire, Jason, "
           "Ryan, Nathan, Aaron, Patrick, Keith, Gary, Albert, Harold, Terry, Tony, Marco, Carlos, Diego, Omar, Hans, "
           "Erik, Ella, Angela, Judy, Hannah, Molly, Ruby, Mr Hill, Ms Young, Mrs Baker, Mr Wood, Ms King, Dr Stone",
    EVAL: "Adam, Chris, Edward, Martin, Nick, Robert, Sarah, Tom, William, James, John, Charles, Mary, Ann, Jim, Kim, "
           "Emily, Luke, Linda, Betty, Oliver, Harry, Mr Green, Ms Carter, Dr Lane",
})
PROFESSION = names({
    TRAIN: "dentist, doctor, lawyer, barber, banker, plumber, painter, nurse, landlord, surgeon, accountant, tailor, "
           "gardener, coach, trainer, tutor, priest, engineer, designer, photographer, therapist, advisor, architect, "
           "notary, psychologist, agent, manager, editor, eye doctor, tax advisor, bank manager, piano teacher, dance "
           "teacher, car dealer, skin doctor",
    EVAL: "vet, teacher, director, builder, guide, electrician, math teacher, heart doctor, travel agent",
})
PRODUCT = names({
    TRAIN: "kettle, toaster, lamp, phone, laptop, printer, camera, radio, heater, fan, blender, desk, chair, bike, "
           "keyboard, speaker, tent, jacket, suitcase, mirror, drill, fridge, tablet, freezer, microwave, sofa, headset, "
           "cable, charger, battery, projector, scanner, piano, drum, dress, helmet, ladder, pump, saw, hammer, stove, "
           "knife, curtain, blanket, towel, alarm, grill, mattress, monitor, table, bed, mouse, coat, hat, pan, cup, "
           "plate, game, map, light, wheel, engine, window, lock, vacuum cleaner, coffee machine, rice cooker, lawn "
           "mower, phone case, desk lamp",
    EVAL: "oven, clock, watch, router, screen, bag, shirt, box, book, door, lens, toolbox, mixer, pillow, violin, water "
           "pump, game console, garden chair",
})
STREET = names({
    TRAIN: "Mill Road, High Street, Park Avenue, Church Lane, Station Road, King Street, Garden Road, Hill Street, River "
           "Lane, Market Street, School Road, Bridge Street, Forest Avenue, Castle Road, North Street, Lake Road, Oak "
           "Street, Elm Street, Valley Road, Tower Lane, Victoria Street, Pine Avenue, Cedar Lane, Maple Road, East "
           "Street, Main Street, Wood Lane, Spring Road, Field Lane, Bell Street, Long Lane, College Road, London Road, "
           "Beach Avenue, Union Street, Mountain Road",
    EVAL: "Queen Street, South Avenue, Rose Lane, West Street, Green Lane, Water Street, Summer Road, Grand Avenue, "
           "Harbor Road, Apple Lane",
})
VENUE = names({
    TRAIN: "Golden Lion, Blue Door, Red Dragon, Casa Rosa, Green Garden, Silver Spoon, Little Italy, Old Mill, Sea Star, "
           "Bella Vita, White Horse, Black Swan, Lucky Fish, Sunset Grill, Corner House, Happy Pig, Royal Oak, La Luna, "
           "Crown Inn, Lion's Den, Eagle Bar, Bear Cave, Wolf House, Fox Inn, Pizza Palace, Burger Barn, Cafe Paris, "
           "Mountain Hut, Sunny Side, Fire Pit, Lake House, Central Grill, Market Hall, King's Table, Magic Bean, Open "
           "Door, Three Pigs, Sweet Home, Fresh Leaf, Hungry Wolf, Villa Verde",
    EVAL: "Brown Bear, Stone Bridge, Wild Rose, Big Apple, Grand Cafe, New Moon, River Bar, City Diner, Secret Garden, "
           "Ocean Grill, Purple Onion",
})
BOUGHT = names({
    TRAIN: "taxi, lunch, dinner, parking, hotel, petrol, postage, toner, cleaning, snacks, ferry, gifts, drinks, "
           "breakfast, tickets, stamps, insurance, conference, meeting, bike, desk, lamp, coffee, laundry, train, bus, "
           "phone, internet, gas, rent, food, books, software, training, course, repair, office chair, train ticket, "
           "printer paper, phone bill, team lunch, bus pass, floor lamp, bike repair, museum visit, rental car, hotel "
           "room, client gift, city map",
    EVAL: "paper, flowers, flight, water, power, fuel, tools, printing, hardware, car wash, travel card, cab, workshop, "
           "toll, office plant, ferry ticket",
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
    TRAIN: "paint, flour, cement, tea, tiles, nails, screws, soap, honey, glue, candles, potatoes, gravel, bolts, juice, "
           "pasta, onions, pears, steel, copper, rope, wool, cotton, leather, rubber, bricks, oats, cheese, butter, "
           "eggs, oranges, lemons, bananas, tomatoes, carrots, beer, shoes, toys, bottles, cups, plates, cables, pipes, "
           "towels, coffee, rice, sand, apples, paper, milk, salt, oil, wire, cloth, seeds, corn, fish, bread, wine, "
           "books",
    EVAL: "sugar, water, beans, wood, glass, iron, plastic, clay, wheat, nuts, fruit, meat, coal, shirts, tools, "
           "grapes, spices",
})
STORE = names({
    TRAIN: "cellar, shop, warehouse, depot, kitchen, garage, workshop, yard, truck, harbour, basement, barn, attic, "
           "dock, hotel, studio, lobby, clinic, hall, van, store, farm, port, school, library, bar, lab, camp, tower, "
           "shed, stage, bank, bakery, back room, north store, main office",
    EVAL: "market, factory, office, house, mill, station, hospital, museum, church, field, garden, south store",
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
KINDS = [
    Kind(
        "order",
        {"customer": PERSON, "items": goods(), "pay?": PAYMENT},
        train=[
            "[I'd like|I want|I need|Please send] {items} for {customer}[|, paid {pay}].",
            "[Please send|Please ship|Send|Sell] {customer} {items}[|, paid {pay}].",
            "{items} for {customer}[|, please|, paid {pay}].",
            "[Can|Could|May] {customer} [get|have|order] {items}[|, paid {pay}]?",
            "[Put|Write] {customer} down for {items}[|, paid {pay}].",
            "{customer} [orders|wants|would like|is buying] {items}[| and pays {pay}|, paid {pay}].",
            "[New order|Order|Purchase] [from|by|for] {customer}: {items}[|, paid {pay}].",
            "Add {items} to {customer}'s [order|basket][|, paid {pay}].",
            "[Hi|Hello], {customer} here, I [need|want|take] {items}[|, paid {pay}].",
            "[Order|Get|Buy] {customer} {items}[|, paid {pay}].",
            "Paid {pay}: {items} for {customer}.",
            "{customer}: {items}[|, paid {pay}].",
        ],
        held_out=[
            "[My name is|This is] {customer} and I'd like {items}[|, paid {pay}].",
            "[Pack|Wrap] {items} for {customer}[|, paid {pay}].",
            "{customer} [just asked for|has ordered] {items}[|, paid {pay}].",
            "[Would you|Will you] send {customer} {items}[|, paid {pay}]?",
            "Here is an order from {customer}: {items}[|, paid {pay}].",
        ],
    ),
    Kind(
        "appointment",
        {"for": PERSON, "with": PROFESSION, "when": {"date": date(), "time?": time(8, 17)}},
        train=[
            "[Book|Make|Arrange] [an appointment|a visit] with the {with} for {for} on {date}[| at {time}].",
            "{for} [needs|wants|has|hopes] to see the {with} on {date}[| at {time}].",
            "{for} [sees|is seeing|visits] the {with} at {time} on {date}.",
            "[Appointment|Visit]: {for}, {with}, {date}[|, {time}].",
            "[Can|Could|May] {for} see the {with} on {date}[| at {time}]?",
            "On {date}[| at {time}] {for} has an appointment with the {with}.",
            "The {with} [expects|will see|sees] {for} [at {time} on {date}|on {date}].",
            "[Put|Write] {for} down with the {with} for {date}[| at {time}].",
            "[Is the {with} free|Does the {with} have time] for {for} on {date}[| at {time}]?",
            "{date}[|, {time}]: {with} for {for}.",
            "{for} [goes|has to go] to the {with} on {date}[| at {time}].",
            "At {time} on {date}, {for} is [due at|with] the {with}.",
        ],
        held_out=[
            "[Fit|Get] {for} in with the {with} on {date}[| at {time}].",
            "{for}'s appointment with the {with} is on {date}[| at {time}].",
            "{for} [meets|must see] the {with} on {date}[| at {time}].",
            "Would the {with} be able to see {for} on {date}[| at {time}]?",
            "[We need|I'd like] an appointment for {for} with the {with} on {date}[| at {time}].",
        ],
    ),
    Kind(
        "complaint",
        {"order": reference_number(), "product": PRODUCT, "problem": PROBLEM, "want?": REMEDY},
        agrees=lambda v: (v["problem"], v.get("want")) != ("missing", "repair"),
        train=[
            "The {product} [from|in|of] order {order} {problem}[|, I want {want}].",
            "[My|Our] {product} {problem}, order {order}[|. I want {want}|, we want {want}].",
            "Order {order}: [the|my] {product} {problem}[|, I want {want}].",
            "[Hello|Hi], the {product} I [bought|ordered] {problem}, order {order}[|, and I want {want}].",
            "I'm [unhappy|not happy|angry], the {product} of order {order} {problem}[|, I'd like {want}].",
            "Complaint about order {order}, the {product} {problem}[|, they want {want}].",
            "[I want|I'd like|We'd like] {want} because the {product} {problem}, order {order}.",
            "[Sorry, but|Sadly] the {product} {problem}, [it is|that's] order {order}[|, we'd like {want}].",
            "It's about order {order}. [The|My] {product} {problem}[|, I'd like {want}].",
            "The {product} {problem}. [My order is|That was order] {order}[|, I want {want}].",
            "I need {want}, the {product} of order {order} {problem}.",
            "In order {order} the {product} {problem}[|, so I want {want}].",
        ],
        held_out=[
            "[What a shame|Very disappointing], the {product} {problem}, order {order}[|, I want {want}].",
            "I must complain: the {product} in order {order} {problem}[|, I want {want}].",
            "Regarding order {order}: my {product} {problem}[|, so I'd like {want}].",
            "We'd like to have {want}, our {product} {problem}, order {order}.",
            "The {product} that came with order {order} {problem}[|, and I want {want}].",
        ],
    ),
    Kind(
        "delivery",
        {"order": reference_number(), "to?": {"number": count(1, 40), "street": STREET}, "date?": date(), "slot?": HALF_DAY},
        train=[
            "[Please deliver|Deliver|Take] order {order} to {number} {street}[| instead][|, {slot}].",
            "[Change|Move|Switch] the delivery of order {order} to {date}[|, {slot}].",
            "Order {order} should [go|come|be sent] to {number} {street}[|, {slot}].",
            "Can [you bring|I get|we have] order {order} on {date}[|, {slot}]?",
            "[We've moved|I've moved|New address], [send|bring] order {order} to {number} {street}[|, {slot}].",
            "[I'm away|Not home], please bring order {order} on {date}[|, {slot}].",
            "Delivery {order}: new date {date}[|, {slot}].",
            "Delivery {order}: new address {number} {street}[|, {slot}].",
            "[Bring|Drop|Leave] order {order} at {number} {street}[|, {slot}].",
            "[I|We] can only take order {order} on {date}[|, {slot}].",
            "Order {order} is going to {number} {street} [now|from now on][|, {slot}].",
            "[Please keep|Hold] order {order} until {date}[|, {slot}].",
        ],
        held_out=[
            "[Reroute|Redirect] order {order} to {number} {street}[|, {slot}].",
            "[Could|Would] you postpone order {order} to {date}[|, {slot}]?",
            "[Forward|Bring over] order {order} to {number} {street}[|, {slot}].",
            "I'd rather get order {order} on {date}[|, {slot}].",
            "Order {order} [has to|must] go to {number} {street}[|, {slot}].",
        ],
    ),
    Kind(
        "reservation",
        {"venue": VENUE, "people": count(2, 12), "when": {"day": weekday(), "time": time(13, 20)}, "seat?": SEAT},
        train=[
            "[Book|Reserve|Get me] a table for {people} at {venue} on {day} at {time}[|, {seat}].",
            "Table for {people}, {venue}, {day} at {time}[|, {seat}].",
            "We are {people} and [want|would like|hope] to eat at {venue} on {day} at {time}[|, {seat}].",
            "[Can|Could|Will] {venue} [take|seat] {people} of us on {day} at {time}[|, {seat}]?",
            "{venue}, {day} at {time}, {people} [people|guests][|, {seat}].",
            "On {day} at {time} we'd like to eat at {venue}, {people} [people|persons][|, {seat}].",
            "[Is there|Do you have] a table at {venue} for {people} on {day} at {time}[|, {seat}]?",
            "[Lunch|Dinner|A meal] at {venue} for {people} on {day} at {time}[|, {seat}].",
            "[Please hold|Hold|Keep] {people} seats at {venue} on {day} at {time}[|, {seat}].",
            "{people} of us [are going|are coming|go] to {venue} at {time} on {day}[|, {seat}].",
            "My [party|group] of {people} [wants|needs] {venue} for {day} at {time}[|, {seat}].",
            "{day} at {time}: {venue}, {people} [people|guests][|, {seat}].",
        ],
        held_out=[
            "[Find us|We need] a table for {people} at {venue} on {day} at {time}[|, {seat}].",
            "A party of {people} is coming to {venue} on {day} at {time}[|, {seat}].",
            "There will be {people} of us at {venue} on {day} at {time}[|, {seat}].",
            "[I want to|I'd like to] reserve at {venue} for {people} [people|guests] on {day} at {time}[|, {seat}].",
            "At {venue}, please keep a table for {people} on {day} at {time}[|, {seat}].",
        ],
    ),
    Kind(
        "expense",
        {"by": PERSON, "item": BOUGHT, "cost": money(), "date?": date()},
        train=[
            "{by} [paid|spent] {cost} [for|on] the {item}[| on {date}].",
            "[Expense|Claim|Cost]: {item}, {cost}, {by}[|, {date}].",
            "The {item} [cost|came to|was] {cost}, paid by {by}[| on {date}].",
            "Please [refund|reimburse|repay] {by} {cost} for the {item}[| of {date}].",
            "{cost} for the {item}, {by} paid[| on {date}].",
            "[Note|Book|Record] {cost} for the {item}, paid by {by}[| on {date}].",
            "On {date} {by} paid {cost} for the {item}.",
            "[Receipt|Bill] from {by} for the {item}: {cost}[|, {date}].",
            "{item} {cost}, {by}[|, {date}].",
            "{by} bought the {item} [for|at] {cost}[| on {date}].",
            "{by} [claims|wants back] {cost} for the {item}[| of {date}].",
            "{by}: {cost} for the {item}[|, {date}].",
        ],
        held_out=[
            "{by} [had to pay|has paid] {cost} for the {item}[| on {date}].",
            "{by} gave {cost} for the {item}[| on {date}].",
            "The {item} for {cost} was paid by {by}[| on {date}].",
            "[We owe|We still owe] {by} {cost} for the {item}[| of {date}].",
            "[Put|Enter] {cost} for the {item}, paid by {by}[| on {date}].",
        ],
    ),
    Kind(
        "reminder",
        {"task": ERRAND, "at": {"day": weekday(), "time?": time(7, 20)}, "repeat?": REPEAT},
        train=[
            "Remind me to {task} [{repeat}|on] {day}[| at {time}].",
            "[Don't let me forget|I must not forget] to {task} on {day}[| at {time}].",
            "{repeat} {day}[| at {time}] I [must|have to|need to] {task}.",
            "I [must|have to|need to|want to] {task} {repeat} {day}[| at {time}].",
            "[Note|To do|Task]: {task} [on|{repeat}] {day}[| at {time}].",
            "On {day}[| at {time}] [I must|remind me to|I have to] {task}.",
            "[Ping|Remind|Tell] me {repeat} {day}[| at {time}] to {task}.",
            "[Set|Make] a reminder [for|{repeat}] {day}[| at {time}]: {task}.",
            "{repeat} {day}[| at {time}]: {task}.",
            "Please [tell|remind] me to {task} on {day}[| at {time}].",
            "{task} {repeat} {day}[| at {time}], please remind me.",
            "I [must|have to|want to] {task} on {day}[| at {time}].",
        ],
        held_out=[
            "[Make sure that I|See that I] {task} on {day}[| at {time}].",
            "I [should|ought to] {task} on {day}[| at {time}].",
            "[Alert|Warn] me {repeat} {day}[| at {time}] to {task}.",
            "I've got to {task} {repeat} {day}[| at {time}].",
            "My plan for {day}[| at {time}] is to {task}.",
        ],
    ),
    Kind(
        "stock",
        {"item": MATERIAL, "qty": count(2, 40), "unit": UNIT, "move": {"from?": STORE, "to?": STORE}},
        agrees=lambda v: v.get("from") != v.get("to"),
        train=[
            "[Move|Bring|Take] {qty} {unit} of {item} from the {from} to the {to}.",
            "[We received|We got|We stored] {qty} {unit} of {item} [at|in] the {to}.",
            "{qty} {unit} of {item} [left|went out of|are gone from] the {from}.",
            "[Take|Remove|Collect] {qty} {unit} of {item} [out of|from] the {from}.",
            "{qty} {unit} of {item} [went|go] [|from the {from} ]to the {to}.",
            "The {to} [needs|gets|receives] {qty} {unit} of {item}[| from the {from}].",
            "[Stock|Inventory]: {qty} {unit} of {item} [|from the {from} ]to the {to}.",
            "The {from} [sent|sends|gave] {qty} {unit} of {item}[| to the {to}].",
            "From the {from}, [send|ship] {qty} {unit} of {item} to the {to}.",
            "[Store|Put|Place] {qty} {unit} of {item} [in|at] the {to}.",
            "{qty} {unit} of {item} came [to|into] the {to}[| from the {from}].",
            "[Send|Ship] {qty} {unit} of {item} [|from the {from} ]to the {to}.",
        ],
        held_out=[
            "[Transfer|Carry] {qty} {unit} of {item} from the {from} to the {to}.",
            "We [put|keep] {qty} {unit} of {item} in the {to}.",
            "[Deliver|Drive] {qty} {unit} of {item} to the {to}[| from the {from}].",
            "There are {qty} {unit} of {item} [going|on the way] from the {from} to the {to}.",
            "[Get|Fetch] {qty} {unit} of {item} from the {from}.",
        ],
    ),
]
