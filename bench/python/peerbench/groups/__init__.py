"""All groups, in the order of the table."""

from peerbench.groups.arrays import ARRAYS
from peerbench.groups.first_result import FIRST_RESULT, FIRST_RESULT_NUMPY
from peerbench.groups.huge_arrays import HUGE_ARRAYS
from peerbench.groups.idle_memory import IDLE_MEMORY
from peerbench.groups.json_files import JSON_FILES
from peerbench.groups.map_items import MAP_ITEMS
from peerbench.groups.round_trip import ROUND_TRIP
from peerbench.groups.storm import STORM_GROUP
from peerbench.groups.throughput import THROUGHPUT

GROUPS = (
    THROUGHPUT,
    MAP_ITEMS,
    ROUND_TRIP,
    ARRAYS,
    HUGE_ARRAYS,
    FIRST_RESULT,
    FIRST_RESULT_NUMPY,
    STORM_GROUP,
    JSON_FILES,
    IDLE_MEMORY,
)
