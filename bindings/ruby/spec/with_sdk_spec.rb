# frozen_string_literal: true

require_relative 'sdk'

Dir["#{__dir__}/with_sdk/*.rb"].each { |file| require file } if SDK_IS_REAL

RSpec.describe 'the LaunchDarkly SDK itself' do
  it 'is what the adapter is tested with' do
    skip 'it is not here: name its checkout in FLAGSTORE_SDK, see README' unless SDK_IS_REAL
    expect(LaunchDarkly::VERSION).to match(/\A\d+\.\d+/)
  end
end
