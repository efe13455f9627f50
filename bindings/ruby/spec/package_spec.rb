# frozen_string_literal: true

require 'fileutils'
require 'open3'
require 'rbconfig'
require 'rubygems/package'
require 'tmpdir'

require_relative '../packaging/native_file'
require_relative 'native_files'

# The gem: what is in it, what it is for, and that it works from where it is installed.
RSpec.describe 'the gem' do
  project = File.expand_path('..', __dir__)
  library = File.expand_path(Flagstore::Library.load.path)
  compiled = "lib/flagstore/#{RUBY_VERSION[/\A\d+\.\d+/]}/hits.#{RbConfig::CONFIG['DLEXT']}"

  # Runs a program outside of the source tree, without the variables that could lead back to it.
  def run(*command, folder: @folder, **variables)
    environment = { 'FLAGSTORE_LIBRARY' => nil, 'FLAGSTORE_BUILD' => @folder, 'RUBYLIB' => nil, 'RUBYOPT' => nil,
                    **variables.transform_keys(&:to_s) }
    output, status = Open3.capture2e(environment, *command, chdir: folder)
    [output.strip, status.exitstatus]
  end

  before(:context) do
    @folder = Dir.mktmpdir
    NativeFiles.all.each do |triple, (_platform, file, bytes)|
      FileUtils.mkdir_p("#{@folder}/platforms/#{triple}")
      File.binwrite("#{@folder}/platforms/#{triple}/#{file}", bytes)
    end
    output, status = run("#{project}/package", FLAGSTORE_LIBRARY: library, FLAGSTORE_PLATFORMS: "#{@folder}/platforms")
    raise output unless status.zero?

    @gems = output.lines(chomp: true)
    @gem = @gems.first
  end

  after(:context) { FileUtils.rm_rf(@folder) }

  it 'is made for each platform whose library is there, this one first, with its file and no other' do
    names = NativeFiles.all.values.map { |platform, file| ["flagstore-#{Flagstore::VERSION}-#{platform}.gem", file] }
    expect(@gems).to match_array(names.map { |name, _file| "#{@folder}/packages/#{name}" })
    names.each do |name, file|
      package = Gem::Package.new("#{@folder}/packages/#{name}")
      expect(package.contents.grep(/flagstore\.(so|dylib|dll)$/)).to eq ["lib/flagstore/#{file}"]
      expect("flagstore-#{Flagstore::VERSION}-#{package.spec.original_platform}.gem").to eq name
    end
    expect(Gem::Package.new(@gem).contents).to include 'lib/flagstore/libflagstore.so'
    expect(Gem::Platform.match_gem?(Gem::Package.new(@gem).spec.platform, 'flagstore')).to be true
  end

  it 'is kept from a RubyGems that takes a gem for musl where glibc is' do
    old = Gem::Version.new('3.3.15')
    kept = @gems.reject { |gem| Gem::Package.new(gem).spec.required_rubygems_version.satisfied_by?(old) }
    expect(kept.map { |gem| gem[/linux-musl/] }).to eq %w[linux-musl linux-musl]
  end

  it 'is for the platform that the header of its library says' do
    file = "#{@folder}/file"
    NativeFiles.all.each_value do |platform, _name, bytes|
      File.binwrite(file, bytes)
      expect(NativeFile.platform(file).to_s).to eq platform
    end
    ['', 'text', "\x7fELF\x02\x01", 'MZ', NativeFiles.elf('x86_64', 'libc.so.6')[0, 100]].each do |odd|
      File.binwrite(file, odd)
      expect { NativeFile.platform(file) }.to raise_error(NativeFile::Unknown, /is no shared library/)
    end
    # What the loader says that it looks for is what the gem is called.
    expect(NativeFile.platform(library).to_s).to eq Flagstore::Library.send(:platform)
  end

  it 'says what it is' do
    spec = Gem::Package.new(@gem).spec
    expect([spec.license, spec.runtime_dependencies.map(&:to_s)]).to eq ['Apache-2.0', ['ffi (~> 1.15)']]
    expect(spec.homepage).to start_with 'https://'
    expect(spec.metadata.keys).to include('homepage_uri', 'source_code_uri', 'changelog_uri', 'bug_tracker_uri')
  end

  it 'holds the package, its signatures, its papers and the library' do
    sources = Dir['lib/**/*.rb', base: project]
    expect(sources.length).to be > 10
    papers = %w[.yardopts CHANGELOG.md LICENSE README.md THIRD-PARTY-NOTICES flagstore.cdx.json]
    files = papers + %w[lib/flagstore/libflagstore.so sig/flagstore.rbs]
    # Compiled where the headers of Ruby are.
    files << compiled if File.file?("#{RbConfig::CONFIG['rubyhdrdir']}/ruby.h")
    expect(Gem::Package.new(@gem).contents).to match_array(sources + files)
  end

  it 'works from where it is installed, with its own library' do
    home = "#{@folder}/home"
    # The gem that it depends on is the system's.
    paths = { GEM_HOME: home, GEM_PATH: [home, *Gem.path].join(':') }
    _output, status = run(RbConfig.ruby, '-S', 'gem', 'install', '--local', '--no-document', @gem, **paths)
    expect(status).to eq 0
    code = <<~RUBY
      require 'flagstore'
      Flagstore::Store.open(table: #{TABLE.inspect}, **#{endpoint.options.inspect}) { |store| p store.available? }
      puts Flagstore::Library.load.path, $LOADED_FEATURES.grep(/flagstore/).map { |file| file[%r{.*/gems}] }.uniq
    RUBY
    gems = "#{home}/gems"
    packaged = Dir["#{gems}/flagstore-#{Flagstore::VERSION}-*/lib/flagstore/libflagstore.so"].first
    expect(run(RbConfig.ruby, '-e', code, **paths)).to eq ["true\n#{packaged}\n#{gems}", 0]
    expect(FileUtils.identical?(packaged, library)).to be true
    named = run(RbConfig.ruby, '-e', code, **paths, FLAGSTORE_LIBRARY: library)
    expect(named).to eq ["true\n#{library}\n#{gems}", 0]
  end

  it 'is not built without the library' do
    expect(run("#{project}/package")).to match [/name the library as an argument or in FLAGSTORE_LIBRARY/, 1]
    expect(run("#{project}/package", '/nowhere.so')).to match [%r{library is "/nowhere.so", and there is no such file}, 1]
    expect(run("#{project}/package", __FILE__)).to match [/package_spec.rb cannot be used as libflagstore/, 1]
    FileUtils.mkdir_p("#{@folder}/odd/x86_64-unknown-linux-gnu")
    File.write("#{@folder}/odd/x86_64-unknown-linux-gnu/libflagstore.so", 'text')
    expect(run("#{project}/package", library, FLAGSTORE_PLATFORMS: "#{@folder}/odd"))
      .to match [/libflagstore.so is no shared library for a platform that is known here/, 1]
  end

  it 'is for every platform when it is built without the script' do
    copy = "#{@folder}/copy"
    FileUtils.mkdir_p(copy)
    FileUtils.cp_r(%w[lib sig README.md flagstore.gemspec].map { |name| "#{project}/#{name}" }, copy)
    command = [RbConfig.ruby, '-S', 'gem', 'build', '--silent', '--output', "#{copy}/flagstore.gem", 'flagstore.gemspec']
    expect(run(*command, folder: copy).last).to eq 0
    package = Gem::Package.new("#{copy}/flagstore.gem")
    expect([package.spec.platform, package.contents.grep(/\.so/)]).to eq ['ruby', []]
  end

  it 'has the version of the library' do
    expect(Flagstore.library_version).to eq Flagstore::VERSION
  end
end
