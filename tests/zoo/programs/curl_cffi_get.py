"""One request by the libcurl in curl_cffi."""

import sys

from curl_cffi import requests

assert requests.get(sys.argv[1] + "/version", verify=sys.argv[2]).content
