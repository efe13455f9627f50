# frozen_string_literal: true

require 'fileutils'
require 'open3'
require 'rbconfig'
require 'rubygems/package'
require 'tmpdir'

# The gem: what is in it, what it is for, and that it works from where it is installed.
RSpec.describe 'the gem' do
  project = File.expand_path('..', __dir__)
  library = File.expand_path(Flagstore::Library.load.path)

  # Runs a program outside of the source tree, without the variables that could lead back to it.
  def run(*command, folder: @folder, **variables)
    environment = { 'FLAGSTORE_LIBRARY' => nil, 'FLAGSTORE_BUILD' => @folder, 'RUBYLIB' => nil, 'RUBYOPT' => nil,
                    **variables.transform_keys(&:to_s) }
    output, status = Open3.capture2e(environment, *command, chdir: folder)
    [output.strip, status.exitstatus]
  end

  before(:context) do
    @folder = Dir.mktmpdir
    @gem, status = run("#{project}/package", FLAGSTORE_LIBRARY: library)
    raise @gem unless status.zero?
  end

  after(:context) { FileUtils.rm_rf(@folder) }

  it 'is for this platform' do
    expect(@gem).to eq "#{@folder}/packages/flagstore-#{Flagstore::VERSION}-#{Gem::Platform.local}.gem"
    spec = Gem::Package.new(@gem).spec
    expect([spec.platform, spec.license]).to eq [Gem::Platform.local, 'Apache-2.0']
    expect(spec.runtime_dependencies.map(&:to_s)).to eq ['ffi (~> 1.15)']
  end

  it 'holds the package, its signatures, its papers and the library' do
    sources = Dir['lib/**/*.rb', base: project]
    expect(sources.length).to be > 10
    papers = %w[CHANGELOG.md LICENSE README.md THIRD-PARTY-NOTICES flagstore.cdx.json]
    files = papers + %w[lib/flagstore/libflagstore.so sig/flagstore.rbs]
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
      puts Flagstore::Library.load.path, $LOADED_FEATURES.grep(/flagstore/).map { |file| file[/.*\\/gems/] }.uniq
    RUBY
    gems = "#{home}/gems"
    packaged = "#{gems}/flagstore-#{Flagstore::VERSION}-#{Gem::Platform.local}/lib/flagstore/libflagstore.so"
    expect(run(RbConfig.ruby, '-e', code, **paths)).to eq ["true\n#{packaged}\n#{gems}", 0]
    expect(FileUtils.identical?(packaged, library)).to be true
    named = run(RbConfig.ruby, '-e', code, **paths, FLAGSTORE_LIBRARY: library)
    expect(named).to eq ["true\n#{library}\n#{gems}", 0]
  end

  it 'is not built without the library' do
    expect(run("#{project}/package")).to match [/name the library as an argument or in FLAGSTORE_LIBRARY/, 1]
    expect(run("#{project}/package", '/nowhere.so')).to match [%r{library is "/nowhere.so", and there is no such file}, 1]
    expect(run("#{project}/package", __FILE__)).to match [/package_spec.rb cannot be used as libflagstore/, 1]
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
