-- SPDX-License-Identifier: Apache-2.0
-- One batch of changes, all or none: data, index, revision and change stream in one step.
-- ARGV[1]: epoch the batch was made for; ARGV[2]: revision it follows on. If Redis holds others,
--   nothing is done. Empty: not looked at, and neither epoch nor revision nor stream is written
--   (filling an empty or doubtful Redis, which ends with the operation "epoch").
-- Then operations, each a word and its arguments:
--   put NAME REVISION ENDS_MS N TARGET*N M (FIELD VALUE)*M    ENDS_MS: empty, or milliseconds since 1970
--   remove NAME REVISION
--   exempt TARGET REVISION ENDS_MS M (FIELD VALUE)*M
--   unexempt TARGET REVISION
--   advance REVISION              a revision that changed nothing here
--   close                         takes the epoch away: readers keep what they have
--   epoch EPOCH REVISION RECORD   all is in place: begins a new epoch. RECORD: whose revisions these are, the
--                                 store's own epoch; empty: not known
-- Returns {1, epoch, revision} when done, {0, epoch, revision} when refused.
local kKeep = 86400000 -- what ended is swept by the controller; a day later by Redis
local epoch = redis.call('GET', 'ipmit:epoch') or ''
local revision = redis.call('GET', 'ipmit:revision') or ''
local follow = ARGV[2] ~= ''
if follow and (ARGV[1] ~= epoch or ARGV[2] ~= revision) then return {0, epoch, revision} end

local at = 3
local function take()
  at = at + 1
  return ARGV[at - 1]
end
local function take_pairs()
  local size = tonumber(take()) * 2
  local first = at
  at = at + size
  return unpack(ARGV, first, at - 1)
end

local function changed(op, what, to)
  if not follow then return end
  if tonumber(to) < tonumber(revision) then to = revision end -- a repair, not a change
  redis.call('XADD', 'ipmit:changes', 'MAXLEN', '~', 200000, '*',
    'op', op, 'what', what, 'revision', to, 'after', revision)
  revision = to
end

-- For a key that has no expiry yet.
local function keep_until(key, ends)
  if ends ~= '' then redis.call('PEXPIREAT', key, string.format('%.0f', tonumber(ends) + kKeep)) end
end

local function unlink_targets(name, key)
  for target in string.gmatch(redis.call('HGET', key, 'targets') or '', '[^\n]+') do
    redis.call('SREM', 'ipmit:target:' .. target, name)
  end
end

local function link_target(name, target, ends)
  local key = 'ipmit:target:' .. target
  local left = redis.call('PTTL', key) -- -2: no key, -1: stays for ever
  redis.call('SADD', key, name)
  if left == -2 then
    keep_until(key, ends)
  elseif left ~= -1 and ends == '' then
    redis.call('PERSIST', key)
  elseif left ~= -1 then
    local now = tonumber(redis.call('TIME')[1]) * 1000
    if tonumber(ends) + kKeep - now > left then keep_until(key, ends) end
  end
end

local operations = {}

function operations.put()
  local name, to, ends = take(), take(), take()
  local key = 'ipmit:mitigation:' .. name
  unlink_targets(name, key)
  for _ = 1, tonumber(take()) do link_target(name, take(), ends) end
  redis.call('DEL', key)
  redis.call('HSET', key, take_pairs())
  keep_until(key, ends)
  redis.call('ZADD', 'ipmit:mitigations', to, name)
  changed('put', name, to)
end

function operations.remove()
  local name, to = take(), take()
  local key = 'ipmit:mitigation:' .. name
  unlink_targets(name, key)
  redis.call('DEL', key)
  redis.call('ZREM', 'ipmit:mitigations', name)
  changed('remove', name, to)
end

function operations.exempt()
  local target, to, ends = take(), take(), take()
  local key = 'ipmit:exemption:' .. target
  redis.call('DEL', key)
  redis.call('HSET', key, take_pairs())
  keep_until(key, ends)
  redis.call('ZADD', 'ipmit:exemptions', to, target)
  changed('exempt', target, to)
end

function operations.unexempt()
  local target, to = take(), take()
  redis.call('DEL', 'ipmit:exemption:' .. target)
  redis.call('ZREM', 'ipmit:exemptions', target)
  changed('unexempt', target, to)
end

function operations.advance()
  changed('advance', '', take())
end

function operations.close()
  redis.call('DEL', 'ipmit:epoch')
end

function operations.epoch()
  epoch, revision = take(), take()
  local record = take()
  redis.call('SET', 'ipmit:epoch', epoch)
  if record == '' then redis.call('DEL', 'ipmit:record') else redis.call('SET', 'ipmit:record', record) end
  redis.call('DEL', 'ipmit:changes')
  redis.call('XADD', 'ipmit:changes', '*', 'op', 'epoch', 'what', epoch, 'revision', revision, 'after', '')
  redis.call('SET', 'ipmit:revision', revision)
end

while at <= #ARGV do operations[take()]() end
if follow then redis.call('SET', 'ipmit:revision', revision) end
return {1, epoch, revision}
