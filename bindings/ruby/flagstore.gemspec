# frozen_string_literal: true

require_relative 'lib/flagstore/version'

# `package`, beside this file, builds the gems that carry the library, each for its platform; without it the gem is for every
# platform and looks for the system's.
Gem::Specification.new do |spec|
  platform = ENV['FLAGSTORE_GEM_PLATFORM'].to_s.split
  repository = 'https://github.com/flagstore/flagstore'

  spec.name = 'flagstore'
  spec.version = Flagstore::VERSION
  spec.summary = 'The LaunchDarkly DynamoDB feature store, through the shared library libflagstore'
  spec.description = 'Keeps the flags of the LaunchDarkly SDK in DynamoDB without an AWS SDK: one implementation for ' \
                     'every language, on the same table and rows as the integrations of the SDKs.'
  spec.authors = ['flagstore']
  spec.license = 'Apache-2.0'
  spec.homepage = "#{repository}/tree/main/bindings/ruby"
  spec.metadata = {
    'homepage_uri' => spec.homepage, 'source_code_uri' => repository, 'bug_tracker_uri' => "#{repository}/issues",
    'changelog_uri' => "#{repository}/blob/main/CHANGELOG.md", 'rubygems_mfa_required' => 'true'
  }
  papers = %w[README.md CHANGELOG.md LICENSE THIRD-PARTY-NOTICES flagstore.cdx.json .yardopts]
  library = %w[libflagstore.so libflagstore.dylib flagstore.dll].map { |name| "lib/flagstore/#{name}" }
  native = [*library, 'lib/flagstore/*/hits.{so,bundle}']
  spec.files = Dir['lib/**/*.rb', 'sig/*.rbs', *papers, *(native unless platform.empty?), base: __dir__].sort
  spec.platform = Gem::Platform.new(platform) unless platform.empty?
  spec.required_ruby_version = '>= 3.1'
  # Older ones take a gem for musl for one that glibc may have, too.
  spec.required_rubygems_version = '>= 3.3.22' if platform.include?('musl')

  # Calls C without compiling anything.
  spec.add_runtime_dependency 'ffi', '~> 1.15'
end
