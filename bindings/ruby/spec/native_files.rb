# frozen_string_literal: true

# Shared libraries that are made by hand, no more than the headers that say which platform they are for.
module NativeFiles
  ELF = { 'x86_64' => 0x3e, 'aarch64' => 0xb7 }.freeze

  # By the triple that Rust has for the platform: RubyGems' name of it, the name of the file, and its bytes.
  def self.all
    {
      'x86_64-unknown-linux-gnu' => ['x86_64-linux-gnu', 'libflagstore.so', elf('x86_64', 'libc.so.6')],
      'aarch64-unknown-linux-gnu' => ['aarch64-linux-gnu', 'libflagstore.so', elf('aarch64', 'libc.so.6')],
      'x86_64-unknown-linux-musl' => ['x86_64-linux-musl', 'libflagstore.so', elf('x86_64', 'libc.so')],
      'aarch64-unknown-linux-musl' => ['aarch64-linux-musl', 'libflagstore.so', elf('aarch64', 'libc.musl-aarch64.so.1')],
      'x86_64-apple-darwin' => ['x86_64-darwin', 'libflagstore.dylib', "\xcf\xfa\xed\xfe".b + [0x01000007].pack('L<')],
      'aarch64-apple-darwin' => ['arm64-darwin', 'libflagstore.dylib', "\xcf\xfa\xed\xfe".b + [0x0100000c].pack('L<')],
      'x86_64-pc-windows-gnu' => ['x64-mingw-ucrt', 'flagstore.dll', pe(0x8664)]
    }
  end

  # Behind the header two segments: what is loaded, at another address than it lies in the file, and what is in it for the
  # linker.
  def self.elf(machine, needed)
    address = 0x10000
    dynamic = 64 + (2 * 56)
    texts = "\0#{needed}\0"
    entries = [1, 1, 5, address + dynamic + 48, 0, 0].pack('Q<*')
    length = dynamic + entries.length + texts.length
    "\x7fELF\x02\x01\x01".b + ("\0" * 9) +
      [3, ELF.fetch(machine), 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0].pack('S<2L<Q<3L<S<6') +
      [1, 4, 0, address, address, length, length, 4096].pack('L<2Q<6') +
      [2, 4, dynamic, address + dynamic, address + dynamic, 48, 48, 8].pack('L<2Q<6') + entries + texts
  end

  def self.pe(machine)
    ['MZ', 0x40, "PE\0\0", machine].pack('a60L<a4S<')
  end
end
