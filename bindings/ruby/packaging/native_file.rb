# frozen_string_literal: true

# Which platform a native file is for, as its header says, whatever machine looks at it.
class NativeFile
  class Unknown < StandardError; end

  ELF_MACHINES = { 0x3e => 'x86_64', 0xb7 => 'aarch64' }.freeze
  MACH_MACHINES = { 0x01000007 => 'x86_64', 0x0100000c => 'arm64' }.freeze
  PE_MACHINES = { 0x8664 => 'x64', 0xaa64 => 'aarch64' }.freeze
  # Kinds of segments, and of entries of the one for the linker.
  LOADED = 1
  FOR_THE_LINKER = 2
  NEEDED = 1
  TEXTS = 5

  # A platform of RubyGems, by its parts: older versions read no "gnu" out of the name as a whole.
  #
  # @return [Gem::Platform]
  # @raise [Unknown]
  def self.platform(path)
    new(File.binread(path)).platform or raise Unknown, "#{path} is no shared library for a platform that is known here"
  end

  def initialize(bytes)
    @bytes = bytes
  end

  def platform
    parts =
      if @bytes.start_with?("\x7fELF\x02\x01".b) then elf
      elsif @bytes.start_with?("\xcf\xfa\xed\xfe".b) then [MACH_MACHINES[number('L<', 4)], 'darwin', nil]
      elsif @bytes.start_with?('MZ') then pe
      end
    Gem::Platform.new(parts) if parts&.first
  end

  private

  def elf
    needed = needed_libraries
    libc = if needed.include?('libc.so.6') then 'gnu'
           # musl's own name, and that of its distributions.
           elsif needed.any?(/\Alibc\.(so\z|musl-)/) then 'musl'
           end
    [ELF_MACHINES[number('S<', 18)], 'linux', libc] if libc
  end

  def pe
    header = number('L<', 0x3c)
    # Ruby's own build for Windows, with its C library.
    [PE_MACHINES[number('S<', header + 4)], 'mingw', 'ucrt'] if @bytes[header, 4] == "PE\0\0"
  end

  # Where a part of an ELF file lies, and where it is loaded.
  Segment = Struct.new(:type, :offset, :address, :bytes) do
    def covers?(place)
      (address...(address + bytes)).cover?(place)
    end
  end
  private_constant :Segment

  def needed_libraries
    entries = segments(FOR_THE_LINKER).flat_map { |segment| entries_of(segment) }
    texts = in_file(entries.assoc(TEXTS)&.last)
    texts ? entries.filter_map { |tag, name| text(texts + name) if tag == NEEDED } : []
  end

  # Where in the file the bytes lie that are loaded at an address.
  def in_file(address)
    holder = segments(LOADED).find { |segment| address && segment.covers?(address) }
    holder && (holder.offset + address - holder.address)
  end

  def segments(type)
    all = Array.new(number('S<', 56)) do |place|
      at = number('Q<', 32) + (place * 56)
      Segment.new(number('L<', at), number('Q<', at + 8), number('Q<', at + 16), number('Q<', at + 32))
    end
    all.select { |segment| segment.type == type }
  end

  def entries_of(segment)
    (segment.offset...(segment.offset + segment.bytes)).step(16).map { |at| [number('Q<', at), number('Q<', at + 8)] }
  end

  def number(format, offset)
    @bytes.unpack1(format, offset: offset) || 0
  rescue ArgumentError
    0
  end

  def text(offset)
    @bytes[offset, 100].to_s[/\A[^\0]*/n]
  end
end
