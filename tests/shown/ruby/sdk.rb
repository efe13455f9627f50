# frozen_string_literal: true

# The SDK's settings with a store of this library in them. What stands in for the SDK takes none.
require 'ldclient-rb'
require 'flagstore/launchdarkly'

class LaunchDarkly::Config
  attr_reader :given

  def initialize(**given)
    @given = given
  end
end

LaunchDarkly::BigSegmentsConfig = Struct.new(:store, keyword_init: true)

def one_line
  # SHOWN(README.md, 1)
  raise if store.initialized?
end

def its_own_readme
  # SHOWN(bindings/ruby/README.md, 1)
  raise if config.given[:feature_store].initialized?
end

def with_big_segments
  # SHOWN(bindings/ruby/README.md, 3)
  raise if store.initialized?
  raise unless config.given[:big_segments].store.equal?(segments)
end

one_line
its_own_readme
with_big_segments
