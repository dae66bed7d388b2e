import JSON
import Logging
import Time
