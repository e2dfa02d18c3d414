/**
 * What safety words are made of: 512 short, concrete words that can be told apart by ear, and none
 * that could hurt or frighten someone. No two begin with the same four letters.
 */
export const CALM_WORDS: readonly string[] = `
  abacus acacia acorn agate alcove almond alpaca alpine amber anchor anemone apple apricot apron
  aqua arbor archway artist aspen aster atlas attic aurora autumn awning azalea azure backpack
  badger ballad balsam bamboo banjo banner barn basil basket beacon beehive begonia bell bench
  beret bicycle birch bison blanket blossom bluebell bonnet bonsai bookmark boots border botany
  bouquet branch breeze bronze brook brush bubble bucket bulb bunting button cabbage cabin cactus
  calendar camel campfire canal candle canoe canyon caravan cardinal carnival carpet carrot
  castle cedar celery cello chestnut chickpea chime chipmunk chive cinnamon clarinet clay clock
  cloud clover coast cobalt cocoa comet compass copper corner cottage crayon cricket crocus
  curtain cushion daffodil dahlia daisy dawn daylight denim desk dewdrop dogwood dolphin domino
  donkey doodle door dove drizzle drum duck duet dusk eagle easel echo elm emerald emu envelope
  evening falcon farm feather fennel fern ferry fiddle field fig finch firefly fjord flamingo
  fleece flute footpath forest fountain foxglove fuchsia galaxy gallery garden garland gazebo
  gecko geranium ginkgo giraffe glacier glitter globe glove goldfish gondola goose gosling
  granite grape gravel green grotto guitar hallway hammock harmony harp harvest haystack hazel
  headland hedge herb heron hibiscus highland hill holly horizon house hyacinth icicle igloo
  impala indigo inkwell inlet iris island ivy jacket jade jasmine jigsaw journal juggler juniper
  kale kayak kazoo keepsake kelp kettle keyboard kitchen kite kitten kiwi koala kumquat lace
  ladder ladybug lagoon lake lamp lantern lapwing larch lark lattice laundry laurel lavender lawn
  leaf lemon lentil library lilac lily lime linen locket lodge loom lotus lullaby lyric magnet
  magpie mallard mandolin mango manor maple marble marigold market marmot matinee meadow medley
  melody mill mint mitten mohair moon morning mosaic moss mountain mulberry mural mushroom myrtle
  napkin nautilus nectar nest newt noon notebook oak oasis oatmeal oboe ocean octave olive onion
  opal opera orange orbit orchard oregano origami osprey otter outdoor owl paddle panda paper
  parade park parrot parsley pasture patio pavilion peacock pebble pecan pelican penguin peony
  pepper pergola petal petunia piano piccolo picnic pigeon pillar pine pinwheel planet plateau
  plush pocket polka pond pony poplar porch portrait postcard pottery prairie primrose puddle
  puffin pumpkin purple puzzle quail quartz quilt rabbit radio raft rainbow raisin ramble raven
  recorder reindeer rhubarb rhythm ribbon riddle ridge ripple river robin rosemary rowan rowboat
  ruby rug saffron sage sand sapling sapphire satin saucer scallop scarf schooner scooter seagull
  season seaweed seedling sequoia serenade sesame shallot sheep shell shutter sienna signal silk
  silver singer sketch sled snail snow sofa sonata song soprano spaniel sparrow spinach sponge
  spring sprout spruce squirrel station stork stream stripe studio summer sunbeam sundial sunrise
  sunset swan sweater sycamore symphony table tadpole tango tapestry teacup teapot teaspoon tempo
  tent terrace thimble thistle thread ticket tidepool tile timber toboggan tomato topaz tortoise
  toucan towel trellis trinket trolley trombone trumpet tuba tulip tundra turtle tweed twig
  twilight ukulele umbrella unicorn valley vanilla vase velvet veranda village vine vintage vista
  voyage wagon wallaby walnut waltz warbler water weekend wheat wheel whistle wicker willow
  window winter wisteria wombat woodland wool workshop wreath wren yacht yarn yellow zebra
  zucchini
`
  .trim()
  .split(/\s+/);
