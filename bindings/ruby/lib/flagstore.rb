# frozen_string_literal: true

require_relative 'flagstore/version'
require_relative 'flagstore/error'
require_relative 'flagstore/item'
require_relative 'flagstore/library'
require_relative 'flagstore/store'

# The LaunchDarkly DynamoDB feature store, through the shared library +libflagstore+.
#
# For the LaunchDarkly SDK, change one call:
#
#   require 'flagstore/launchdarkly'
#   store = Flagstore::LaunchDarkly::DynamoDB.new_feature_store('flags') # was: LaunchDarkly::Integrations::DynamoDB
#
# Without it, use {Store}.
module Flagstore
  # The version of the loaded +libflagstore+, such as +"0.1.0"+.
  #
  # @return [String]
  # @raise [LibraryError] it cannot be loaded
  def self.library_version
    Library.load.version
  end
end
