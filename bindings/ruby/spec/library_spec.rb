# frozen_string_literal: true

require 'open3'
require 'pathname'
require 'rbconfig'
require 'tmpdir'

# Where libflagstore is looked for, and what is said where it cannot be used.
RSpec.describe Flagstore::Library do
  open = "require 'flagstore'; Flagstore::Store.open(table: 'flags').close; puts Flagstore::Library.load.path"
  let(:path) { File.expand_path(described_class.load.path) }

  # Runs Ruby with FLAGSTORE_LIBRARY as given, or without it.
  def run(code, **variables)
    environment = { 'FLAGSTORE_LIBRARY' => nil, **variables.transform_keys(&:to_s) }
    out, error, status = Open3.capture3(environment, RbConfig.ruby, '-I', File.expand_path('../lib', __dir__), '-e', code)
    [out.strip, error, status.exitstatus]
  end

  it 'is the file that the variable names' do
    expect(run(open, FLAGSTORE_LIBRARY: path)).to eq [path, '', 0]
  end

  it 'may be named relative to the working directory' do
    relative = Pathname.new(path).relative_path_from(Dir.pwd).to_s
    expect(run(open, FLAGSTORE_LIBRARY: relative)).to eq [path, '', 0]
  end

  it 'is fatal where it is not, at the first use and not before' do
    _out, error, status = run(open, FLAGSTORE_LIBRARY: '/nowhere/libflagstore.so')
    expect(status).to eq 1
    expect(error).to match(%r{FLAGSTORE_LIBRARY is "/nowhere/libflagstore.so".*no such file.*LibraryError})
    expect(run("require 'flagstore'", FLAGSTORE_LIBRARY: '/nowhere/libflagstore.so')).to eq ['', '', 0]
  end

  it 'is fatal where it is no library' do
    Dir.mktmpdir do |folder|
      wrong = "#{folder}/libflagstore.so"
      File.write(wrong, 'not a library')
      _out, error, status = run(open, FLAGSTORE_LIBRARY: wrong)
      expect([status, error]).to match [1, /#{wrong} cannot be used as libflagstore: .*LibraryError/m]
    end
  end

  it 'is fatal where it is another library' do
    other = File.readlines('/proc/self/maps').grep(/libc\.so/).first.split.last
    _out, error, status = run(open, FLAGSTORE_LIBRARY: other)
    expect([status, error]).to match [1, /cannot be used as libflagstore: it has no function store_abi_version/]
  end

  it 'is fatal where it has another ABI' do
    code = "require 'flagstore'; Flagstore::Library.send(:remove_const, :ABI); Flagstore::Library::ABI = 77; #{open}"
    _out, error, status = run(code, FLAGSTORE_LIBRARY: path)
    expect([status, error]).to match [1, /has ABI 1, this package needs ABI 77: install versions that match/]
  end

  it 'is no StandardError' do
    code = "require 'flagstore'; begin; Flagstore::Store.open(table: 'flags'); rescue LoadError => e; p e.class; end"
    expect(run(code, FLAGSTORE_LIBRARY: '/nowhere').first).to eq 'Flagstore::LibraryError'
  end

  it 'is the system\'s where there is no other' do
    skip 'the package under test carries the library' if File.file?(described_class::PACKAGED)
    out, error, status = run(open)
    skip "this system has libflagstore installed as #{out}" if status.zero?
    expect(error).to match(/not found for \w+-linux-\w+: FLAGSTORE_LIBRARY is not set, .* \(the gem for .* carries it\)/)
    Dir.mktmpdir do |folder|
      File.symlink(path, "#{folder}/libflagstore.so.1")
      expect(run(open, LD_LIBRARY_PATH: folder)).to eq ['libflagstore.so.1', '', 0]
    end
  end

  it 'is not named by an empty variable' do
    expect(run(open, FLAGSTORE_LIBRARY: '')[1]).not_to include 'FLAGSTORE_LIBRARY is ""'
  end

  it 'is not loaded by require, and neither is an SDK' do
    code = <<~RUBY
      require 'flagstore'
      p $LOADED_FEATURES.grep(/ldclient|aws-sdk/), File.read('/proc/self/maps').include?('libflagstore')
    RUBY
    expect(run(code, FLAGSTORE_LIBRARY: path)).to eq ["[]\nfalse", '', 0]
  end

  it 'is for the main Ractor alone, which gives others items' do
    code = <<~RUBY
      require 'flagstore'
      Warning[:experimental] = false
      item = Flagstore::Item.new(key: +'flag', version: 1, item: +'{}')
      puts Ractor.new(item) { |one| one.key }.take
      Ractor.new do
        Flagstore::Store.open(table: 'flags')
      rescue Exception => e
        e.full_message(highlight: false)
      end.take.then { |message| puts message.lines.first }
    RUBY
    out, = run(code, FLAGSTORE_LIBRARY: path)
    expect(out.lines.map(&:chomp)).to match ['flag', /main Ractor: read there, and give others the.*LibraryError/]
  end

  it 'is loaded once by threads that need it at the same time' do
    code = <<~RUBY
      require 'flagstore'
      p Array.new(16) { Thread.new { Flagstore::Library.load.object_id } }.map(&:value).uniq.length
    RUBY
    expect(run(code, FLAGSTORE_LIBRARY: path)).to eq ['1', '', 0]
  end
end
