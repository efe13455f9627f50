# frozen_string_literal: true

# This package's declarations against the header for parsers of declarations.
RSpec.describe 'the header' do
  header = File.read("#{REPOSITORY}/include/flagstore_cdef.h")
  library = Flagstore::Library

  # "struct store_error *error" as what crosses the ABI.
  def self.shape(declaration)
    return 'pointer' if declaration.include?('*') || declaration.start_with?('store_callback')

    type = declaration.split.first
    { 'size_t' => 'u64', 'int32_t' => 'i32', 'uint32_t' => 'u32', 'int64_t' => 'i64', 'uint64_t' => 'u64' }.fetch(type, type)
  end

  def self.shape_here(type)
    { string: 'pointer', pointer: 'pointer', void: 'void', size_t: 'u64', int32: 'i32', uint32: 'u32', int64: 'i64',
      uint64: 'u64' }.fetch(type)
  end

  functions = header.scan(/^(\S[\w ]*?[ *]+)(store_\w+)\(([^)]*)\);/m).to_h do |result, name, arguments|
    arguments = arguments == 'void' ? [] : arguments.split(',').map { |argument| shape(argument.strip) }
    [name.to_sym, [arguments, shape(result)]]
  end
  structs = header.scan(/^typedef struct (\w+) \{(.*?)^\} \1;/m).to_h.transform_values do |body|
    body.split(';').map(&:strip).reject(&:empty?).map { |field| shape(field) }
  end
  codes = header.scan(/^  (STORE_\w+) = (-?\d+)/).to_h.transform_values { |number| Integer(number) }

  it 'has been understood' do
    expect([functions.length, structs.length, codes.length]).to match [be >= 35, 3, be >= 40]
  end

  library::FUNCTIONS.each do |name, (arguments, result)|
    it "has #{name} as it is declared here" do
      expect([arguments.map { |type| self.class.shape_here(type) }, self.class.shape_here(result)])
        .to eq functions.fetch(name)
    end
  end

  {
    'store_error' => [library::ERROR, library::ERROR_SIZE],
    'store_item' => [library::ITEM, library::ITEM_SIZE],
    'store_collection' => [library::COLLECTION, library::COLLECTION_SIZE]
  }.each do |name, (format, size)|
    it "lays out #{name} as it is read and written here" do
      letters = { 'pointer' => 'J', 'u64' => 'J', 'i64' => 'q', 'i32' => 'l' }
      fields = structs.fetch(name)
      expect(format).to eq fields.map { |field| letters.fetch(field) }.join
      types = { 'pointer' => :pointer, 'u64' => :size_t, 'i64' => :int64, 'i32' => :int32 }
      layout = Class.new(FFI::Struct) do
        layout(*fields.each_with_index.flat_map { |field, index| [:"f#{index}", types.fetch(field)] })
      end
      # The packed form has no padding, so neither may the struct.
      expect([layout.size, (fields.map { 1 }).pack(format).bytesize]).to eq [size, size]
    end
  end

  it 'has the numbers that are used here' do
    expect(codes).to include('STORE_ABI_VERSION' => library::ABI, 'STORE_OK' => library::OK,
                             'STORE_NOT_FOUND' => library::NOT_FOUND, 'STORE_NEWER_EXISTS' => library::NEWER_EXISTS,
                             'STORE_TOO_LARGE' => library::TOO_LARGE,
                             'STORE_NOT_CACHED' => library::NOT_CACHED,
                             'STORE_ERROR_INVALID_HANDLE' => library::INVALID_HANDLE)
    expect(codes).to include(Flagstore::Error.send(:const_get, :OWN))
    levels = Flagstore::Store.send(:const_get, :LEVELS)
    expect(levels.to_h { |number, level| ["STORE_LEVEL_#{level.upcase}", number] })
      .to eq(codes.select { |name, _number| name.start_with?('STORE_LEVEL_') })
  end

  it 'has every error in a class of its meaning' do
    errors = codes.select { |name, _number| name.start_with?('STORE_ERROR_') }
    plain = errors.select { |name, code| Flagstore::Error.of(code, name, '', false).instance_of?(Flagstore::Error) }
    retriable = %w[THROTTLED TIMEOUT CONNECTION SERVICE UNEXPECTED_RESPONSE RUNTIME]
    expect(plain.keys).to match_array((retriable + %w[PANIC TOO_MANY_STORES REJECTED]).map { |name| "STORE_ERROR_#{name}" })
    retriable.each do |name|
      error = Flagstore::Error.of(errors.fetch("STORE_ERROR_#{name}"), name, '', true)
      expect(error).to be_an_instance_of(Flagstore::UnavailableError)
    end
    expect(errors.to_h { |_name, code| [library.load.code_name(code), code] }).to eq errors
  end

  it 'says of no function that is called here that it blocks, but of those whose wait lets other threads run' do
    text = File.read("#{REPOSITORY}/include/flagstore.h")
    documented = text.scan(%r{^/\*\n((?:(?!\*/).)*)\*/\n[\w ]+[ *]+(store_\w+)\(}m)
    blocking = documented.filter_map do |comment, name|
      name.to_sym if comment.gsub(/\s+/, ' ').match?(/blocks, at most|waits for one at most|blocking and errors as for/i)
    end
    expect(blocking.length).to be >= 10
    expect(blocking & library::FUNCTIONS.keys).to match_array library::WAITING.keys
  end
end
