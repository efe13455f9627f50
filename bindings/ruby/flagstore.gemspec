# frozen_string_literal: true

require_relative 'lib/flagstore/version'

# `package`, beside this file, builds the gem that carries the library; without it the gem is for every platform and looks
# for the system's.
Gem::Specification.new do |spec|
  library = 'lib/flagstore/libflagstore.so'

  spec.name = 'flagstore'
  spec.version = Flagstore::VERSION
  spec.summary = 'The LaunchDarkly DynamoDB feature store, through the shared library libflagstore'
  spec.description = 'Keeps the flags of the LaunchDarkly SDK in DynamoDB without an AWS SDK: one implementation for ' \
                     'every language, on the same table and rows as the integrations of the SDKs.'
  spec.authors = ['flagstore']
  spec.license = 'Apache-2.0'
  papers = %w[README.md CHANGELOG.md LICENSE THIRD-PARTY-NOTICES flagstore.cdx.json]
  spec.files = Dir['lib/**/*.rb', 'sig/*.rbs', *papers, library, base: __dir__].sort
  spec.platform = Gem::Platform.local if spec.files.include?(library)
  spec.required_ruby_version = '>= 3.1'
  spec.metadata['rubygems_mfa_required'] = 'true'

  # Calls C without compiling anything, and lets other threads run meanwhile.
  spec.add_runtime_dependency 'ffi', '~> 1.15'
end
