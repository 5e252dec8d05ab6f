"""Traditional rhymes in English, in the public domain: words for tunes without any."""

RHYMES = (
    "Twinkle, twinkle, little star,\nHow I wonder what you are,\n"
    "Up above the world so high,\nLike a diamond in the sky.",
    "Mary had a little lamb,\nIts fleece was white as snow,\n"
    "And everywhere that Mary went\nThe lamb was sure to go.",
    "Row, row, row your boat\nGently down the stream,\n"
    "Merrily, merrily, merrily, merrily,\nLife is but a dream.",
    "London Bridge is falling down,\nFalling down, falling down,\n"
    "London Bridge is falling down,\nMy fair lady.",
    "Baa, baa, black sheep,\nHave you any wool?\nYes sir, yes sir,\nThree bags full.",
    "Humpty Dumpty sat on a wall,\nHumpty Dumpty had a great fall,\n"
    "All the king's horses and all the king's men\n"
    "Could not put Humpty together again.",
    "Jack and Jill went up the hill\nTo fetch a pail of water,\n"
    "Jack fell down and broke his crown,\nAnd Jill came tumbling after.",
    "Hickory, dickory, dock,\nThe mouse ran up the clock,\n"
    "The clock struck one, the mouse ran down,\nHickory, dickory, dock.",
    "Hey diddle, diddle, the cat and the fiddle,\nThe cow jumped over the moon,\n"
    "The little dog laughed to see such fun,\n"
    "And the dish ran away with the spoon.",
    "Sing a song of sixpence, a pocket full of rye,\n"
    "Four and twenty blackbirds baked in a pie,\n"
    "When the pie was opened the birds began to sing,\n"
    "Was not that a dainty dish to set before the king?",
    "Little Miss Muffet sat on a tuffet\nEating her curds and whey,\n"
    "There came a big spider who sat down beside her\n"
    "And frightened Miss Muffet away.",
    "Oranges and lemons, say the bells of Saint Clement's,\n"
    "You owe me five farthings, say the bells of Saint Martin's,\n"
    "When will you pay me? say the bells of Old Bailey,\n"
    "When I grow rich, say the bells of Shoreditch.",
    "Ring around the roses,\nA pocket full of posies,\n"
    "Ashes, ashes,\nWe all fall down.",
    "Old King Cole was a merry old soul,\nAnd a merry old soul was he,\n"
    "He called for his pipe and he called for his bowl,\n"
    "And he called for his fiddlers three.",
    "Star light, star bright,\nFirst star I see tonight,\n"
    "I wish I may, I wish I might\nHave the wish I wish tonight.",
    "Rain, rain, go away,\nCome again another day,\n"
    "Little children want to play,\nRain, rain, go away.",
)
