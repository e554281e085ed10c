-- Sends the bytes of a file as every request, and says the totals as one JSON line.
-- wrk -s wrk.lua URL -- REQUEST_FILE

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local bytes = file:read("*a")
  file:close()
  -- wrk formats once and repeats the result, because no global `request` is defined.
  wrk.format = function() return bytes end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"seconds":%.6f,"errors":%d}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
