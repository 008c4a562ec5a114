"""The words that generated calls are made of: plain to read in a transcript, and without meaning."""

VOCABULARY = tuple(
    """
    amber anchor apple arrow autumn badge bamboo banner barrel basket beacon berry birch blossom bottle
    branch breeze bridge bronze bucket butter button cabin cactus camel candle canyon carpet castle
    cedar chapel cherry cinder circle clover cobalt comet copper coral cotton cradle crimson crystal
    cypress dahlia daisy dancer desert diamond dolphin dragon ember emerald engine fabric falcon feather
    fiddle flannel forest fountain garden garnet ginger glacier granite gravel hammer harbor harvest
    hazel heron hollow honey indigo island ivory jasmine jersey jewel jungle kernel kettle ladder lagoon
    lantern laurel lemon lilac linen lizard lumber magnet mango maple marble meadow mellow meteor mirror
    mitten monarch mountain mulberry mustard nectar needle nickel nutmeg oasis ocean olive onyx orange
    orchard orchid otter oyster paddle palace panther paper parrot pebble pelican pepper petal pigeon
    pillow pine planet plaster plum pocket pollen poplar poppy prairie quarry quartz quill rabbit radish
    raven ribbon river robin rocket rustic saddle saffron salmon sandal sapphire satin scarlet shadow
    shelter silver sparrow spindle spruce staple stone sugar summer summit sunset table tailor talon
    temple thicket thimble thistle thunder timber topaz tulip tundra turnip turtle umber valley vanilla
    velvet violet walnut warbler water willow window winter wooden yarrow yellow zephyr zinnia
    """.split()
)
