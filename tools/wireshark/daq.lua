-- SPDX-License-Identifier: GPL-2.0
--
-- Dissector for the segments of DAQ cards, Documentation/frame-format.rst: names the
-- fields of their headers, and tells what is missing between two headers of a channel.
--
--   tshark -r file.pcap -Y 'daq.lost > 0' -T fields -e daq.channel -e daq.frame -e daq.lost

local proto = Proto("daq", "DAQ segment")

local ETHERTYPE = 0x88b5
local VERSION = 1
-- The Ethernet dissector has shown what is in front of that.
local BEHIND_ETHERTYPE = 14
local HDR_LEN = 64

-- Members of struct daq_hdr: name, offset and size are those of the C header, which a test
-- compares; then what they are called here, and their base if it is not decimal.
local members = {
	{ "version", 14, 1, "Version" },
	{ "flags", 15, 1, "Flags", base.HEX },
	{ "channel", 16, 2, "Channel" },
	{ "run", 18, 2, "Run of the channel", base.HEX },
	{ "frame", 20, 4, "Frame" },
	{ "segment", 24, 4, "Segment" },
	{ "offset", 28, 4, "Offset in the frame" },
	{ "payload_len", 32, 4, "Payload length" },
	{ "frame_len", 36, 4, "Frame length" },
	{ "sample", 40, 8, "First sample" },
	{ "timestamp", 48, 8, "Time stamp (ns)" },
	{ "dropped", 56, 8, "Segments dropped by the card" },
}

-- DAQ_HDR_F_*, compared likewise.
local flags = {
	{ "SOF", 0x01, "First segment of a frame" },
	{ "EOF", 0x02, "Last segment of a frame" },
	{ "OVERRUN", 0x04, "Segments were dropped just before this one" },
	{ "DAMAGED", 0x08, "The payload is bad" },
	{ "LAST", 0x10, "Nothing follows" },
	{ "FILTERED", 0x20, "The host has dropped segments on purpose" },
	{ "JOINED", 0x40, "Chunks that adjoin may come as one" },
}

local fields = {
	payload = ProtoField.bytes("daq.payload", "Payload"),
	time = ProtoField.absolute_time("daq.time", "Time of the first sample", base.UTC),
	lost = ProtoField.uint64("daq.lost", "Segments missing before this one"),
	lost_card = ProtoField.uint64("daq.lost.card", "Segments dropped by the card in between"),
	lost_samples = ProtoField.uint64("daq.lost.samples", "Samples missing before this segment"),
}

for _, member in ipairs(members) do
	local name, _, size, title, shown = table.unpack(member)

	fields["hdr_" .. name] = ProtoField["uint" .. 8 * size]("daq." .. name, title,
								 shown or base.DEC)
end
for _, flag in ipairs(flags) do
	local name, bit, title = table.unpack(flag)

	fields["flag_" .. name] = ProtoField.bool("daq.flags." .. name:lower(), title, 8, nil, bit)
end
proto.fields = fields

local experts = {
	malformed = ProtoExpert.new("daq.malformed", "Malformed header",
				    expert.group.MALFORMED, expert.severity.ERROR),
	truncated = ProtoExpert.new("daq.truncated", "Header not captured as a whole",
				    expert.group.UNDECODED, expert.severity.NOTE),
	overrun = ProtoExpert.new("daq.overrun", "The card dropped segments just before this one",
				  expert.group.SEQUENCE, expert.severity.WARN),
	damaged = ProtoExpert.new("daq.damaged", "The card knows that the payload is bad",
				  expert.group.CHECKSUM, expert.severity.ERROR),
	gap = ProtoExpert.new("daq.gap", "Segments are missing",
			      expert.group.SEQUENCE, expert.severity.WARN),
	restart = ProtoExpert.new("daq.restart", "The channel was off, or the card reset",
				  expert.group.SEQUENCE, expert.severity.NOTE),
	notice = ProtoExpert.new("daq.notice", "Notice of a loss behind which nothing has come yet",
				 expert.group.SEQUENCE, expert.severity.NOTE),
}
proto.experts = experts

-- What the last header of each channel said, and what was found out about each packet.
local channels, found

function proto.init()
	channels = {}
	found = {}
end

local function set(hdr, name)
	return hdr.flag[name]
end

-- The members that have been captured, or nil: not all of them.
local function read_header(tvb, tree)
	local hdr = { flag = {} }
	local whole = true

	for _, member in ipairs(members) do
		local name, offset, size = table.unpack(member)

		offset = offset - BEHIND_ETHERTYPE
		if offset + size <= tvb:captured_len() then
			local range = tvb(offset, size)
			local item = tree:add(fields["hdr_" .. name], range)

			hdr[name] = size == 8 and range:uint64() or range:uint()
			if name == "flags" then
				for _, flag in ipairs(flags) do
					item:add(fields["flag_" .. flag[1]], range)
					hdr.flag[flag[1]] = hdr.flags % (2 * flag[2]) >= flag[2]
				end
			elseif name == "timestamp" then
				local second = UInt64.new(1000000000)

				tree:add(fields.time, range, NSTime.new(
					 (hdr.timestamp / second):tonumber(),
					 (hdr.timestamp % second):tonumber())):set_generated()
			end
		else
			whole = false
		end
	end
	return whole and hdr or nil
end

-- A header alone, because nothing has come since the loss that it tells of.
local function is_notice(hdr)
	return hdr.payload_len == 0 and set(hdr, "OVERRUN") and
	       not set(hdr, "SOF") and not set(hdr, "EOF")
end

-- What is wrong with a header, or nil. Taps show headers alone.
local function contradiction(hdr, payload_len)
	local first = hdr.offset == 0 and hdr.segment == 0
	local last = hdr.offset + hdr.payload_len == hdr.frame_len

	if hdr.version ~= VERSION then
		return string.format("version %d is not %d", hdr.version, VERSION)
	elseif payload_len ~= 0 and payload_len ~= hdr.payload_len then
		return string.format("%d bytes of payload, but the header says %d", payload_len,
				     hdr.payload_len)
	elseif hdr.offset + hdr.payload_len > hdr.frame_len then
		return "payload beyond the end of the frame"
	elseif is_notice(hdr) then
		return nil
	elseif hdr.payload_len == 0 then
		return "no payload"
	elseif set(hdr, "SOF") ~= first or first ~= (hdr.offset == 0) then
		return "SOF contradicts segment and offset"
	elseif set(hdr, "EOF") ~= last then
		return "EOF contradicts the frame's length"
	end
end

-- Headers do not say how long a full segment is, but it shows.
local function learn_segment(state, hdr)
	local bytes

	if hdr.payload_len == 0 then
		return
	elseif hdr.segment > 0 then
		bytes = math.floor(hdr.offset / hdr.segment)
	else
		bytes = hdr.payload_len
		if set(hdr, "EOF") and (state.segment_bytes or 0) > bytes then
			return
		end
	end
	state.segment_bytes = bytes
	state.frame_len = hdr.frame_len
end

-- Likewise samples; a and b follow each other.
local function learn_sample(state, hdr)
	local samples = (hdr.sample - state.sample):tonumber()

	if state.payload_len > 0 and samples > 0 and state.payload_len % samples == 0 then
		state.sample_bytes = state.payload_len / samples
	end
end

-- Segments between what was to come and a header so many frames ahead.
local function count_missing(state, hdr, ahead)
	local per_frame = 1
	local here

	if ahead == 0 then
		return hdr.segment - state.next_segment
	end
	if state.segment_bytes then
		per_frame = math.ceil(state.frame_len / state.segment_bytes)
	end
	here = math.max(per_frame - state.next_segment, 0)
	return here + (ahead - 1) * per_frame + hdr.segment
end

local function compare(state, hdr)
	local result = {}
	local ahead = (hdr.frame - state.next_frame) % 4294967296

	if hdr.run ~= state.run or ahead >= 2147483648 or
	   (ahead == 0 and hdr.segment < state.next_segment) then
		result.restart = true
		return result
	end
	result.missing = count_missing(state, hdr, ahead)
	if result.missing == 0 then
		learn_sample(state, hdr)
		return result
	end
	if state.dropped <= hdr.dropped then
		result.by_card = (hdr.dropped - state.dropped):tonumber()
	end
	if state.sample_bytes then
		result.samples = (hdr.sample - state.sample):tonumber() -
				 state.payload_len / state.sample_bytes
	end
	return result
end

-- Takes a header into account: what is missing before it.
local function follow(key, hdr)
	local state = channels[key]
	local result = {}

	if not state then
		state = {}
		channels[key] = state
		learn_segment(state, hdr)
	else
		learn_segment(state, hdr)
		result = compare(state, hdr)
	end
	state.run = hdr.run
	state.sample = hdr.sample
	state.payload_len = hdr.payload_len
	state.dropped = hdr.dropped
	state.next_frame = hdr.frame
	state.next_segment = hdr.segment
	if set(hdr, "EOF") then
		state.next_frame = (hdr.frame + 1) % 4294967296
		state.next_segment = 0
	elseif hdr.payload_len > 0 then
		state.next_segment = hdr.segment + 1
	end
	return result
end

local function count(n, what)
	return string.format("%d %s%s", n, what, n == 1 and "" or "s")
end

local function show_gap(tree, result)
	local text

	if result.restart then
		tree:add_proto_expert_info(experts.restart)
	end
	if (result.missing or 0) == 0 then
		return
	end
	text = count(result.missing, "segment") .. " missing before this one"
	tree:add(fields.lost, UInt64.new(result.missing)):set_generated()
	if result.by_card then
		tree:add(fields.lost_card, UInt64.new(result.by_card)):set_generated()
		text = text .. string.format(", %d dropped by the card", result.by_card)
		if result.by_card < result.missing then
			text = text .. ", the others by the host or by this capture"
		end
	end
	if result.samples and result.samples >= 0 then
		tree:add(fields.lost_samples, UInt64.new(result.samples)):set_generated()
	end
	tree:add_proto_expert_info(experts.gap, text)
end

local function show_flags(tree, hdr)
	if is_notice(hdr) then
		tree:add_proto_expert_info(experts.notice)
	elseif set(hdr, "OVERRUN") then
		tree:add_proto_expert_info(experts.overrun)
	end
	if set(hdr, "DAMAGED") then
		tree:add_proto_expert_info(experts.damaged)
	end
end

-- One line about all that matters.
local function describe(hdr, result)
	local words = {}
	local text = string.format("Channel %d frame %d segment %d, ", hdr.channel, hdr.frame,
				   hdr.segment)

	if is_notice(hdr) then
		text = text .. "notice of a loss"
	else
		text = text .. string.format("%s at %d of %d", count(hdr.payload_len, "byte"),
					     hdr.offset, hdr.frame_len)
	end
	for _, flag in ipairs(flags) do
		if set(hdr, flag[1]) then
			words[#words + 1] = flag[1]
		end
	end
	if #words > 0 then
		text = text .. " [" .. table.concat(words, " ") .. "]"
	end
	if (result.missing or 0) > 0 then
		text = text .. string.format(", %d missing before", result.missing)
	end
	return text
end

function proto.dissector(tvb, pinfo, tree)
	local hdr_len = HDR_LEN - BEHIND_ETHERTYPE
	local subtree = tree:add(proto, tvb(0, math.min(hdr_len, tvb:captured_len())))
	local hdr, wrong, key

	pinfo.cols.protocol = "DAQ"
	hdr = read_header(tvb, subtree)
	if tvb:reported_len() < hdr_len then
		wrong = string.format("%d bytes are no header", tvb:reported_len())
	elseif hdr then
		wrong = contradiction(hdr, tvb:reported_len() - hdr_len)
	end
	if tvb:captured_len() > hdr_len then
		subtree:add(fields.payload, tvb(hdr_len))
	end
	if wrong then
		pinfo.cols.info = "Malformed: " .. wrong
		subtree:add_proto_expert_info(experts.malformed, "Malformed: " .. wrong)
		return
	elseif not hdr then
		pinfo.cols.info = "Header not captured as a whole"
		subtree:add_proto_expert_info(experts.truncated)
		return
	end

	if not pinfo.visited then
		key = tostring(pinfo.dl_dst) .. " " .. hdr.channel
		found[pinfo.number] = follow(key, hdr)
	end
	local result = found[pinfo.number] or {}

	subtree:append_text(string.format(", channel %d, frame %d, segment %d", hdr.channel,
					  hdr.frame, hdr.segment))
	show_flags(subtree, hdr)
	show_gap(subtree, result)
	pinfo.cols.info = describe(hdr, result)
end

DissectorTable.get("ethertype"):add(ETHERTYPE, proto)
