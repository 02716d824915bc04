-- wrk: another token for each request, from the file that SALLYPORT_BENCH_TOKENS names, one a line.
local tokens = {}
local at = 0

function init()
  for line in io.lines(os.getenv("SALLYPORT_BENCH_TOKENS")) do
    tokens[#tokens + 1] = line
  end
end

function request()
  at = at + 1
  return wrk.format("GET", nil, { ["Authorization"] = "Bearer " .. (tokens[at] or "none-left") })
end
